// Writes native/cuda/kernels.json from libmoabench_cuda.so:
//   node scripts/kernels/update.mjs [--measured reports/<folder>] [--library <.so>] [--table <kernels.json>]
// With --measured, the present code of every kernel counts as timed by that record, and the heads of native/cuda/*/*.cu then name it. Run it before
// the code changes again.
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

/** The folder of the record, as the table names it. It must exist. */
function recordOf(folder) {
  const name = shown(resolve(folder));
  if (name.startsWith('reports/') && existsSync(join(root, name))) return name;
  console.error(`Expected a folder under reports/ for --measured but received ${folder}`);
  return process.exit(2);
}

/** Writes the record into the head of every source with kernels. */
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
