// Writes suites/suite.schema.json from the zod schema. Needs `npm run build:ts` first.
import { writeFileSync } from 'node:fs';
import { suiteJsonSchema } from '../dist/suite/json-schema.js';

const path = new URL('../suites/suite.schema.json', import.meta.url);
writeFileSync(path, suiteJsonSchema());
process.stdout.write(`wrote ${path.pathname}\n`);
