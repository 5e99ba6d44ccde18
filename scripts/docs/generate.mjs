// Writes the tables of README.md and docs/*.md from the released records, so that no figure in the text can differ from its record:
//   node scripts/docs/generate.mjs [--check]
// A table stands between `<!-- figures: NAME -->` and `<!-- end of figures -->`; tables.mjs has the names. With --check nothing is
// written, and a document that would change is an error. Needs the built dist/.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { TABLES } from './tables.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const BLOCK = /(<!-- figures: ([a-z0-9-]+) -->\n)[\s\S]*?(<!-- end of figures -->)/g;

function documents() {
  const docs = join(root, 'docs');
  const pages = readdirSync(docs).filter((name) => name.endsWith('.md'));
  return ['README.md', 'reports/README.md', ...pages.map((name) => `docs/${name}`)].filter((path) => existsSync(join(root, path)));
}

function withTables(text, path) {
  return text.replaceAll(BLOCK, (_, begin, name, end) => {
    const table = TABLES[name];
    if (table === undefined)
      throw new Error(`Expected one of ${Object.keys(TABLES).join(', ')} for a table in ${path} but received ${name}`);
    return `${begin}${table(root).trimEnd()}\n${end}`;
  });
}

const stale = [];
for (const path of documents()) {
  const before = readFileSync(join(root, path), 'utf8');
  const after = withTables(before, path);
  if (after === before) continue;
  stale.push(path);
  if (!values.check) writeFileSync(join(root, path), after);
}
if (values.check && stale.length > 0) {
  console.error(`Expected the figures of ${stale.join(', ')} to be those of the records: run \`node scripts/docs/generate.mjs\`.`);
  process.exit(1);
}
console.log(stale.length === 0 ? 'docs: every figure is its record’s' : `docs: wrote ${stale.join(', ')}`);
