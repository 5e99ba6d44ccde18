import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { invalidArgument, MoaError } from '../core/errors.ts';
import { loadAddon } from './addon.ts';
import type { Backend } from './backend.ts';

const HINT =
  'Run `moabench build` where nvcc is on the PATH (CUDA 13.0 is what it was tested with), or `moabench build --cuda wheels`, which gets a compiler from PyPI; then `moabench doctor`. MOABENCH_CUDA_LIBRARY names another library.';

export interface CudaBackendOptions {
  /** Index of the device among those that CUDA_VISIBLE_DEVICES shows; 0 when left out. */
  readonly device?: number;
}

/**
 * A `cuda` backend with its own stream and memory pool; dispose it when done. Activations, weights and caches may be f32, f16 or bf16;
 * 16-bit ones run on tensor cores. Throws UNAVAILABLE with the reason: not built, no driver, no device of compute capability 8.0.
 */
export function createCudaBackend(options: CudaBackendOptions = {}): Backend {
  const { device = 0 } = options;
  if (!Number.isInteger(device) || device < 0) throw invalidArgument('an integer from 0', 'device', device);
  return loadAddon().createCudaBackend({ library: cudaLibrary(), device });
}

/** What `createCudaBackend()` would run on; throws as it does. */
export function describeCudaBackend(device = 0): string {
  return loadAddon().describeCudaBackend(cudaLibrary(), device);
}

/** Where the library is looked for: MOABENCH_CUDA_LIBRARY, else beside the addon in native/build. */
export function cudaLibraryPath(): string {
  return process.env.MOABENCH_CUDA_LIBRARY ?? fileURLToPath(new URL('../../native/build/libmoabench_cuda.so', import.meta.url));
}

function cudaLibrary(): string {
  const path = cudaLibraryPath();
  if (existsSync(path)) return path;
  throw new MoaError(`Expected the CUDA library at ${path} but it has not been built`, { code: 'UNAVAILABLE', hint: HINT });
}
