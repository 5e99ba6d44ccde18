import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

/** The JSON of a large golden, which is kept compressed: `name` as it is in the folder of the test, which `from` names (import.meta.url). */
export function readGolden(name: string, from: string): unknown {
  return JSON.parse(gunzipSync(readFileSync(new URL(`${name}.gz`, from))).toString('utf8'));
}
