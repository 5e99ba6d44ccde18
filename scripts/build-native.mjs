// Builds native/build/moabench.node with CMake, and libmoabench_cuda.so beside it where there is a CUDA compiler. Quiet unless it fails.
// `moabench build` runs it in an installed package, `npm run build:native` in a checkout:
//   node scripts/build-native.mjs [--cuda auto|on|off|wheels] [--kernel FILE ...]
//   node scripts/build-native.mjs --asan [--march SET]
// --cuda: auto builds CUDA kernels where nvcc is on the PATH (the default, or what MOABENCH_CUDA says), on requires it, wheels takes it from PyPI.
// --kernel: also builds ./moabench.node, in which FILE stands in for the file of native/cpu with the same name.
// --asan: builds native/build-asan/moabench.node under AddressSanitizer and UBSan; --march for another instruction set than this machine's.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const FAILURE_LINES = 40;
const INSTALL = {
  linux: 'sudo apt-get install g++ cmake',
  darwin: 'xcode-select --install && brew install cmake',
};
/** What CMakeLists.txt is told for --cuda. */
const CUDA = { auto: 'AUTO', on: 'ON', off: 'OFF', wheels: 'ON' };
const scripts = dirname(fileURLToPath(import.meta.url));
const native = join(scripts, '..', 'native');

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
  stop(`Expected ${missing.join(' and ')} for the native build but found none: install with \`${install}\`, then build again.`);
}

function expectWritable() {
  try {
    accessSync(native, constants.W_OK);
  } catch {
    stop(
      `Expected a folder that you may write to for the native build but ${native} is not: install moabench where you may, then build again.`,
    );
  }
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

/** Puts the CUDA compiler of NVIDIA's wheels first on the PATH. */
function useWheels() {
  const { status, stdout } = spawnSync('bash', [join(scripts, 'cuda', 'compiler.sh')], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) stop('Expected a CUDA compiler from PyPI for --cuda wheels but received none; the reason is above.');
  process.env.PATH = `${stdout.trim()}${delimiter}${process.env.PATH}`;
}

/** Whether CMake has to be configured: it never was, or that failed, or other settings are wanted, or nvcc was not there at that time. */
function needsConfiguring(directory, settings, cuda) {
  if (!existsSync(join(directory, 'build.ninja')) && !existsSync(join(directory, 'Makefile'))) return true;
  const cache = readFileSync(join(directory, 'CMakeCache.txt'), 'utf8');
  const cached = (name) => new RegExp(`^${name}:\\w+=(.*)$`, 'm').exec(cache)?.[1] ?? '';
  if (Object.entries(settings).some(([name, value]) => cached(name) !== value)) return true;
  return cuda && /^(\S*-)?NOTFOUND$/.test(cached('CMAKE_CUDA_COMPILER'));
}

/** Tells the user why the build takes minutes: it compiles the CUDA kernels. */
function announceCuda(directory) {
  if (existsSync(join(directory, 'libmoabench_cuda.so'))) return;
  process.stderr.write(
    'nvcc is here: the CUDA kernels are built too, minutes on few cores (MOABENCH_CUDA=OFF or --cuda off leaves them out).\n',
  );
}

function build({ asan, march, cuda, kernel }) {
  expectTools();
  expectWritable();
  if (cuda === 'wheels') useWheels();
  const directory = join(native, ['build', ...(asan ? ['asan'] : []), ...(march === undefined ? [] : [march])].join('-'));
  const settings = {
    CMAKE_BUILD_TYPE: asan ? 'RelWithDebInfo' : 'Release',
    MOABENCH_CUDA: asan ? 'OFF' : CUDA[cuda],
    MOABENCH_OWN_KERNELS: kernel.map((file) => resolve(file)).join(';'),
    MOABENCH_OWN_FOLDER: kernel.length > 0 ? process.cwd() : '',
    ...(asan ? { MOABENCH_SANITIZE: 'address,undefined' } : {}),
    ...(march === undefined ? {} : { MOABENCH_MARCH: march }),
  };
  const hasCuda = settings.MOABENCH_CUDA !== 'OFF' && works('nvcc');
  if (needsConfiguring(directory, settings, hasCuda)) {
    const options = Object.entries(settings).map(([name, value]) => `-D${name}=${value}`);
    cmake(['-S', native, '-B', directory, ...(works('ninja') ? ['-G', 'Ninja'] : []), ...options]);
  }
  if (hasCuda) announceCuda(directory);
  // The build itself finds new source files, so it is configured only once. It does nothing when everything is up to date.
  cmake(['--build', directory, '--parallel', String(Math.max(2, availableParallelism()))], join(directory, LOG));
}

const { values } = parseArgs({
  options: {
    asan: { type: 'boolean', default: false },
    march: { type: 'string' },
    cuda: { type: 'string', default: process.env.MOABENCH_CUDA?.toLowerCase() ?? 'auto' },
    kernel: { type: 'string', multiple: true, default: [] },
  },
});
if (!Object.hasOwn(CUDA, values.cuda)) stop(`Expected one of ${Object.keys(CUDA).join(', ')} for --cuda but received ${values.cuda}`);
build(values);
