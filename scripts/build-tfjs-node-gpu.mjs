// Builds the addon of @tensorflow/tfjs-node-gpu from its own sources against a TensorFlow that is already here:
//   node scripts/build-tfjs-node-gpu.mjs [--tensorflow FOLDER] [--package FOLDER]
// The package's installer downloads a C library from a host that is not reachable everywhere. PyPI's `tensorflow` wheel holds the same C API
// (libtensorflow_cc, libtensorflow_framework and headers). FOLDER after --tensorflow is the `tensorflow` folder of that wheel; without it, the one
// that python3 imports is taken. Install the package itself first, with `npm install --ignore-scripts @tensorflow/tfjs-node-gpu@4.22.0`.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const PACKAGE = '@tensorflow/tfjs-node-gpu';
/** The highest Node-API version that the package's loader looks for. */
const NAPI_VERSION = 8;
const SOURCES = ['tfjs_backend.cc', 'tfjs_binding.cc'];
const LIBRARIES = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'];

const { values } = parseArgs({ options: { tensorflow: { type: 'string' }, package: { type: 'string' } } });
const require = createRequire(join(process.cwd(), 'package.json'));

function stop(message) {
  console.error(message);
  process.exit(1);
}

function packageFolder() {
  if (values.package !== undefined) return resolve(values.package);
  try {
    return dirname(require.resolve(`${PACKAGE}/package.json`));
  } catch {
    return stop(`Expected ${PACKAGE} in node_modules: install it with \`npm install --ignore-scripts ${PACKAGE}@4.22.0\``);
  }
}

function tensorflowFolder() {
  if (values.tensorflow !== undefined) return resolve(values.tensorflow);
  const find = 'import importlib.util, os; print(os.path.dirname(importlib.util.find_spec("tensorflow").origin))';
  const found = spawnSync('python3', ['-c', find], { encoding: 'utf8' });
  if (found.status !== 0)
    stop('Expected TensorFlow in python3: `pip install tensorflow==2.20.0`, or name the folder of its wheel with --tensorflow');
  return found.stdout.trim();
}

function run(command, args) {
  const result = spawnSync(command, args, { stdio: 'inherit' });
  if (result.status !== 0) stop(`Expected ${command} to succeed but it ended with ${result.error?.message ?? result.status}`);
}

const target = packageFolder();
const tensorflow = tensorflowFolder();
for (const library of LIBRARIES) {
  if (!existsSync(join(tensorflow, library))) stop(`Expected ${library} in ${tensorflow}, the folder of a TensorFlow wheel for Linux`);
}
const addon = join(target, 'lib', `napi-v${NAPI_VERSION}`, 'tfjs_binding.node');
const libraries = join(target, 'deps', 'lib');
for (const folder of [dirname(addon), libraries]) mkdirSync(folder, { recursive: true });
const compiler = process.env.CXX ?? 'g++';
run(compiler, [
  ...['-O2', '-fPIC', '-shared', '-std=c++17', `-DNAPI_VERSION=${NAPI_VERSION}`, '-o', addon],
  ...['-I', join(dirname(require.resolve('node-api-headers/package.json')), 'include')],
  ...['-I', join(tensorflow, 'include'), '-I', target],
  ...SOURCES.map((source) => join(target, 'binding', source)),
  ...LIBRARIES.map((library) => join(tensorflow, library)),
  '-Wl,-rpath,$ORIGIN/../../deps/lib',
]);
for (const name of readdirSync(libraries)) rmSync(join(libraries, name));
for (const library of LIBRARIES) symlinkSync(join(tensorflow, library), join(libraries, library));
console.log(`${addon} is built; \`moabench doctor\` says whether it loads.`);
