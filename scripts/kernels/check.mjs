// Compares the kernels of libmoabench_cuda.so with native/cuda/kernels.json, without a GPU:
//   node scripts/kernels/check.mjs [--library <.so>] [--table <kernels.json>] [--log <output of the build>]
// Fails on a difference in resources or opcodes, on local memory, stack or calls in hot kernels, on matrix kernels without matrix instructions and,
// with --log, on advice of ptxas about lost performance. Kernels whose code (by its hash) was timed in no GPU record are only listed.
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { performanceAdvice } from './build-log.mjs';
import { readLibrary } from './library.mjs';
import { defaultLibrary, defaultTable, shown, whyNotBuilt } from './paths.mjs';
import { brokenRules } from './rules.mjs';
import { differences, unmeasured } from './table.mjs';

const { values } = parseArgs({ options: { library: { type: 'string' }, table: { type: 'string' }, log: { type: 'string' } } });
const libraryPath = resolve(values.library ?? defaultLibrary);
const tablePath = resolve(values.table ?? defaultTable);

function list(title, lines) {
  if (lines.length > 0) console.log(`kernels: ${title}\n${lines.map((line) => `  ${line}`).join('\n')}`);
}

/** Whether the library is as the table says. Prints what differs. */
function matchesTable(library) {
  if (!existsSync(tablePath)) {
    console.log(`kernels: expected ${shown(tablePath)} but found none: write it with \`node scripts/kernels/update.mjs\``);
    return false;
  }
  const table = JSON.parse(readFileSync(tablePath, 'utf8'));
  const changes = differences(table, library);
  list(`differences from ${shown(tablePath)}`, changes);
  if (changes.length > 0) console.log('kernels: if that is meant, run `node scripts/kernels/update.mjs` and commit the table');
  if (table.compiler === library.compiler) list('unmeasured: no GPU record has timed this code', unmeasured(table, library));
  else console.log(`kernels: code not compared: the table is of nvcc ${table.compiler}, the library of ${library.compiler}`);
  return changes.length === 0;
}

function passes() {
  const library = readLibrary(readFileSync(libraryPath));
  const broken = brokenRules(library.kernels);
  list('broken rules', broken);
  const advice = values.log === undefined ? [] : performanceAdvice(readFileSync(values.log, 'utf8'));
  list(`advice of ptxas in ${values.log}`, advice);
  const matches = matchesTable(library);
  if (broken.length > 0 || advice.length > 0 || !matches) return false;
  console.log(`kernels: ${library.kernels.length} kernels of ${shown(libraryPath)} (nvcc ${library.compiler}) are as they should be`);
  return true;
}

if (!existsSync(libraryPath)) console.log(`kernels: not checked: ${whyNotBuilt(libraryPath)}`);
else if (!passes()) process.exitCode = 1;
