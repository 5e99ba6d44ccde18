// Runs the native and the conformance tests against an AddressSanitizer + UBSan build of the addon. Linux with GCC or Clang.
//   node scripts/test-asan.mjs [--every-march] [test ...]
// With --every-march they run once for each of SSE2, AVX2 and AVX-512. For a set that this machine lacks the addon is only compiled, and a line says
// so.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { canRun, INSTRUCTION_SETS } from './instruction-sets.mjs';

/** The time limit of a test. Instrumented code is several times slower, so this only ends tests that hang. */
const TEST_MS = 60_000;
const root = join(dirname(fileURLToPath(import.meta.url)), '..');

function run(command, args, env = {}) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } });
  if (status !== 0) process.exit(status ?? 1);
}

/** node itself is not instrumented, so the sanitizer's runtime must be loaded before it. */
function runtimeLibrary() {
  const compiler = process.env.CXX ?? 'c++';
  const { stdout } = spawnSync(compiler, ['-print-file-name=libasan.so'], { encoding: 'utf8' });
  const path = stdout?.trim() ?? '';
  if (path.startsWith('/')) return path;
  process.stderr.write(`Expected libasan.so of ${compiler} for test:asan but found none: install GCC's sanitizer libraries.\n`);
  return process.exit(1);
}

/** Builds and tests for one instruction set; when `march` is undefined, for this machine's. */
function test(march, tests) {
  run(process.execPath, ['scripts/build-native.mjs', '--asan', ...(march === undefined ? [] : ['--march', march])]);
  if (march !== undefined && !canRun(march)) {
    console.log(`test:asan: ${march} was compiled but not run: this machine lacks it`);
    return;
  }
  console.log(`test:asan: ${march ?? "this machine's instruction set"}`);
  run(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', '--pool=forks', `--testTimeout=${TEST_MS}`, ...tests], {
    LD_PRELOAD: runtimeLibrary(),
    MOABENCH_ADDON: join(root, 'native', march === undefined ? 'build-asan' : `build-asan-${march}`, 'moabench.node'),
    // Leaks are not reported, because V8 leaks on purpose at exit. An allocation that fails must return null, as it does without the sanitizer.
    ASAN_OPTIONS: 'detect_leaks=0:allocator_may_return_null=1:halt_on_error=1',
    UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
  });
}

const { values, positionals } = parseArgs({
  options: { 'every-march': { type: 'boolean', default: false } },
  allowPositionals: true,
});
// Compiled before the tests run, because compilers are slow when the sanitizer's library is loaded.
run(process.execPath, ['scripts/native-tests.mjs', '--build']);
const tests = positionals.length > 0 ? positionals : ['test/native', 'test/conformance'];
for (const march of values['every-march'] && INSTRUCTION_SETS.length > 0 ? INSTRUCTION_SETS : [undefined]) test(march, tests);
