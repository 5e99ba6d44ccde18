// Writes the tables of README.md and docs/*.md, and README.md's picture, from the released records, so that no figure in the text can
// differ from its record:
//   node scripts/docs/generate.mjs [--check]
// A table stands between `<!-- figures: NAME -->` and `<!-- end of figures -->`; tables.mjs has the names. With --check nothing is written, and a
// document that would change is an error. A block whose record is missing stays as it is; this is an error too. Needs `npm run build:ts` first.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { PICTURES } from './pictures.mjs';
import { MissingRecord } from './released.mjs';
import { TABLES } from './tables.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const BLOCK = /(<!-- figures: ([a-z0-9-]+) -->\n)([\s\S]*?)(<!-- end of figures -->)/g;

const missing = [];
/** Returns what `make` returns. When its record is missing, notes that and returns `otherwise`. */
async function recorded(place, make, otherwise) {
  try {
    return await make();
  } catch (error) {
    if (!(error instanceof MissingRecord)) throw error;
    missing.push(`${place}: ${error.message}`);
    return otherwise;
  }
}

function documents() {
  const docs = join(root, 'docs');
  const pages = readdirSync(docs).filter((name) => name.endsWith('.md'));
  return ['README.md', 'reports/README.md', ...pages.map((name) => `docs/${name}`)].filter((path) => existsSync(join(root, path)));
}

async function withTables(text, path) {
  let written = '';
  let end = 0;
  for (const match of text.matchAll(BLOCK)) {
    const [whole, begin, name, body, close] = match;
    const make = TABLES[name];
    if (make === undefined)
      throw new Error(`Expected one of ${Object.keys(TABLES).join(', ')} for a table in ${path} but received ${name}`);
    const table = await recorded(`${path}, block ${name}`, async () => `${make(root).trimEnd()}\n`, body);
    written += text.slice(end, match.index) + begin + table + close;
    end = match.index + whole.length;
  }
  return written + text.slice(end);
}

const stale = [];
function settle(path, before, after) {
  if (after === before) return;
  stale.push(path);
  if (!values.check) writeFileSync(join(root, path), after);
}

const textOf = (path) => (existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : '');
for (const path of documents()) settle(path, textOf(path), await withTables(textOf(path), path));
for (const [path, draw] of Object.entries(PICTURES)) settle(path, textOf(path), await recorded(path, () => draw(root), textOf(path)));

for (const line of missing) console.error(line);
if (values.check && stale.length > 0)
  console.error(`Expected the figures of ${stale.join(', ')} to be those of the records: run \`node scripts/docs/generate.mjs\`.`);
else if (stale.length > 0) console.log(`docs: wrote ${stale.join(', ')}`);
if (missing.length > 0 || (values.check && stale.length > 0)) process.exitCode = 1;
else console.log('docs: every figure is its record’s');
