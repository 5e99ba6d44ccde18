// Where the build leaves the library and where its table is.
import { spawnSync } from 'node:child_process';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const defaultLibrary = fileURLToPath(new URL('../../native/build/libmoabench_cuda.so', import.meta.url));
export const defaultTable = fileURLToPath(new URL('../../native/cuda/kernels.json', import.meta.url));

/** A path as messages show it: relative to the root of the repository, if it is inside. */
export function shown(path) {
  const inside = relative(root, path);
  return inside.startsWith('..') ? path : inside;
}

/** Why there is no library. */
export function whyNotBuilt(library) {
  const hasCompiler = spawnSync('nvcc', ['--version'], { stdio: 'ignore' }).status === 0;
  return `${shown(library)} is not built${hasCompiler ? ': run `npm run build:native`' : ' and nvcc is not installed'}`;
}
