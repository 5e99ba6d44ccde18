// Runs the native and the conformance tests against an AddressSanitizer + UBSan build of the addon. Linux with GCC or Clang.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

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

run(process.execPath, ['scripts/build-native.mjs', '--asan']);
run(
  process.execPath,
  [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--pool=forks',
    ...(process.argv.length > 2 ? process.argv.slice(2) : ['test/native', 'test/conformance']),
  ],
  {
    LD_PRELOAD: runtimeLibrary(),
    MOABENCH_ADDON: join(root, 'native', 'build-asan', 'moabench.node'),
    // V8 leaks on purpose at exit; an allocation that fails must return null, as without the sanitizer.
    ASAN_OPTIONS: 'detect_leaks=0:allocator_may_return_null=1:halt_on_error=1',
    UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
  },
);
