// Builds native/build/moabench.node with CMake: `node scripts/build-native.mjs [--asan [--march SET]]`. Quiet unless it fails.
// --asan builds native/build-asan/moabench.node under AddressSanitizer and UBSan; --march for another instruction set than this machine's.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const FAILURE_LINES = 40;
const INSTALL = {
  linux: 'sudo apt-get install g++ cmake',
  darwin: 'xcode-select --install && brew install cmake',
};
const native = join(dirname(fileURLToPath(import.meta.url)), '..', 'native');

function works(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
}

function stop(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

function expectTools() {
  const compilers = process.env.CXX ? [process.env.CXX] : ['c++', 'g++', 'clang++'];
  const missing = [
    ...(works('cmake') ? [] : ['CMake (3.20 or newer)']),
    ...(compilers.some(works) ? [] : [process.env.CXX ? `the C++ compiler ${process.env.CXX} (from CXX)` : 'a C++20 compiler']),
  ];
  if (missing.length === 0) return;
  const install = INSTALL[process.platform] ?? 'see https://cmake.org/download';
  stop(
    `Expected ${missing.join(' and ')} for the native build but found none: install with \`${install}\`, then run \`npm run build:native\`.`,
  );
}

/** What the last build printed, for scripts/kernels/check.mjs. */
const LOG = 'build.log';

function cmake(args, log) {
  const result = spawnSync('cmake', args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (log !== undefined) writeFileSync(log, `${result.stdout ?? ''}${result.stderr ?? ''}`);
  if (result.status === 0) return;
  const output = `${result.stdout ?? ''}${result.stderr ?? ''}${result.error ?? ''}`.trimEnd().split('\n');
  stop(
    `${output.slice(-FAILURE_LINES).join('\n')}\nThe native build failed at \`cmake ${args.join(' ')}\`; the last ${FAILURE_LINES} lines are above.`,
  );
}

const wantsCuda = () => process.env.MOABENCH_CUDA !== 'OFF' && works('nvcc');

/** Whether CMake has to look at the machine: it never did or it failed, or there was no nvcc when it did. */
function needsConfiguring(directory, cuda) {
  if (!existsSync(join(directory, 'build.ninja')) && !existsSync(join(directory, 'Makefile'))) return true;
  return cuda && /^CMAKE_CUDA_COMPILER:\w+=(\S*-)?NOTFOUND$/m.test(readFileSync(join(directory, 'CMakeCache.txt'), 'utf8'));
}

/** Compiling kernels is what takes long: whoever waits should know for what. */
function announceCuda(directory) {
  if (existsSync(join(directory, 'libmoabench_cuda.so'))) return;
  process.stderr.write('nvcc is here: the CUDA kernels are built too, minutes on few cores (MOABENCH_CUDA=OFF leaves them out).\n');
}

function build({ asan, march }) {
  expectTools();
  const directory = join(native, ['build', ...(asan ? ['asan'] : []), ...(march === undefined ? [] : [march])].join('-'));
  const options = [
    ...(asan
      ? ['-DCMAKE_BUILD_TYPE=RelWithDebInfo', '-DMOABENCH_SANITIZE=address,undefined', '-DMOABENCH_CUDA=OFF']
      : ['-DCMAKE_BUILD_TYPE=Release']),
    ...(march === undefined ? [] : [`-DMOABENCH_MARCH=${march}`]),
  ];
  const cuda = !asan && wantsCuda();
  if (needsConfiguring(directory, cuda)) {
    cmake(['-S', native, '-B', directory, ...(works('ninja') ? ['-G', 'Ninja'] : []), ...options]);
  }
  if (cuda) announceCuda(directory);
  // Configured once: the build itself looks for new source files and does nothing when all is up to date.
  cmake(['--build', directory, '--parallel', String(Math.max(2, availableParallelism()))], join(directory, LOG));
}

build(parseArgs({ options: { asan: { type: 'boolean', default: false }, march: { type: 'string' } } }).values);
