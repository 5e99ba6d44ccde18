// Lets plain node run the TypeScript of src, as processes that tests start do: node --import ./test/hooks/typescript.mjs FILE.ts
import { register } from 'node:module';

register('./strip-types.mjs', import.meta.url);
