// Writes native/cuda/kernels.json from libmoabench_cuda.so:
//   node scripts/kernels/update.mjs [--measured reports/<folder>] [--library <.so>] [--table <kernels.json>]
// With --measured, every kernel's code as built now counts as timed by that record, which the heads of native/cuda/*/*.cu then name: run it
// before the code is changed again.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { readLibrary } from './library.mjs';
import { defaultLibrary, defaultTable, root, shown, whyNotBuilt } from './paths.mjs';
import { formatTable, tableOf } from './table.mjs';

const MEASURED = /^\/\/ Measured: .*$/m;

const { values } = parseArgs({ options: { library: { type: 'string' }, table: { type: 'string' }, measured: { type: 'string' } } });
const libraryPath = resolve(values.library ?? defaultLibrary);
const tablePath = resolve(values.table ?? defaultTable);

/** The record's folder as the table names it; its file must be there. */
function recordOf(folder) {
  const name = shown(resolve(folder));
  if (name.startsWith('reports/') && existsSync(join(root, name))) return name;
  console.error(`Expected a folder under reports/ for --measured but received ${folder}`);
  return process.exit(2);
}

/** Heads of the sources that kernels come from name the record, too. */
function nameRecord(name) {
  const folder = dirname(defaultTable);
  for (const file of readdirSync(folder, { recursive: true }).filter((path) => path.endsWith('.cu'))) {
    const text = readFileSync(join(folder, file), 'utf8');
    writeFileSync(join(folder, file), text.replace(MEASURED, `// Measured: ${name}`));
  }
}

const record = values.measured === undefined ? undefined : recordOf(values.measured);
if (!existsSync(libraryPath)) {
  console.log(`kernels: ${shown(tablePath)} not written: ${whyNotBuilt(libraryPath)}`);
} else {
  const previous = existsSync(tablePath) ? JSON.parse(readFileSync(tablePath, 'utf8')) : { kernels: [] };
  const table = tableOf(readLibrary(readFileSync(libraryPath)), previous, record);
  writeFileSync(tablePath, formatTable(table));
  if (record !== undefined && tablePath === defaultTable) nameRecord(record);
  console.log(`kernels: wrote ${table.kernels.length} kernels to ${shown(tablePath)}`);
}
