import { availableParallelism } from 'node:os';
import { invalidArgument } from '../core/errors.ts';
import { loadAddon } from './addon.ts';
import type { Backend } from './backend.ts';

export interface CpuBackendOptions {
  /** OpenMP threads, 1 to 1024. Default: MOABENCH_THREADS, else every core that this process may use. */
  readonly threads?: number;
}

/**
 * A `cpu` backend with its own stream thread and memory account; dispose it when done. Compute is f32; weights, tables and caches may
 * be f32, f16 or bf16. Throws UNAVAILABLE when the addon is missing, INVALID_ARGUMENT for a bad thread count.
 */
export function createCpuBackend(options: CpuBackendOptions = {}): Backend {
  return loadAddon().createCpuBackend({ threads: options.threads ?? defaultThreads() });
}

/** Threads, SIMD level and GEMM library that `createCpuBackend()` would have; throws as it does. */
export function describeCpuBackend(): string {
  return loadAddon().describeCpuBackend(defaultThreads());
}

function defaultThreads(): number {
  const text = process.env.MOABENCH_THREADS;
  if (text === undefined || text === '') return availableParallelism();
  const threads = Number(text);
  if (Number.isInteger(threads) && threads >= 1 && threads <= 1024) return threads;
  throw invalidArgument('an integer from 1 to 1024', 'MOABENCH_THREADS', text);
}
