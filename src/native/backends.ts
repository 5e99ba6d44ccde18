import { MoaError } from '../core/errors.ts';
import type { Backend, BackendName } from './backend.ts';
import { createCpuBackend, describeCpuBackend } from './cpu.ts';

export interface BackendOptions {
  readonly name: BackendName;
  /** Threads of `cpu`; see CpuBackendOptions. */
  readonly threads?: number | undefined;
}

/** A native backend on this machine, or the reason and the hint why it is missing. */
export type BackendAvailability =
  | { readonly name: BackendName; readonly available: true; readonly description: string }
  | { readonly name: BackendName; readonly available: false; readonly reason: string; readonly hint?: string };

const CUDA_REASON = 'libmoabench_cuda.so is not built';

/** The native backends with their availability; `tfjs` belongs to src/reference. */
export function listBackends(): readonly BackendAvailability[] {
  return [cpuAvailability(), { name: 'cuda', available: false, reason: CUDA_REASON }];
}

/** The backend that was asked for and no other: MoaError UNAVAILABLE with the reason when this machine lacks it. */
export async function createBackend({ name, threads }: BackendOptions): Promise<Backend> {
  switch (name) {
    case 'cpu':
      return createCpuBackend(threads === undefined ? {} : { threads });
    case 'cuda':
      throw new MoaError(`Expected an available backend but received cuda: ${CUDA_REASON}`, { code: 'UNAVAILABLE' });
    case 'tfjs':
      throw new MoaError('Expected a native backend but received tfjs, the reference that conformance compares with', {
        code: 'UNSUPPORTED',
      });
  }
}

function cpuAvailability(): BackendAvailability {
  try {
    return { name: 'cpu', available: true, description: describeCpuBackend() };
  } catch (error) {
    if (!(error instanceof MoaError)) throw error;
    const { message: reason, hint } = error;
    return { name: 'cpu', available: false, reason, ...(hint === undefined ? {} : { hint }) };
  }
}
