import { MoaError } from '../core/errors.ts';
import type { Backend, BackendName } from './backend.ts';
import { createCpuBackend, describeCpuBackend } from './cpu.ts';
import { createCudaBackend, describeCudaBackend } from './cuda.ts';

/** Which backend, on what of this machine. */
export interface BackendOptions {
  readonly name: BackendName;
  /** Threads of `cpu`; see CpuBackendOptions. */
  readonly threads?: number | undefined;
  /** Device of `cuda`; see CudaBackendOptions. */
  readonly device?: number | undefined;
}

/** A native backend on this machine, or the reason and the hint why it is missing. */
export type BackendAvailability =
  | { readonly name: BackendName; readonly available: true; readonly description: string }
  | { readonly name: BackendName; readonly available: false; readonly reason: string; readonly hint?: string };

/** The native backends with their availability; `tfjs` belongs to src/reference. */
export function listBackends(): readonly BackendAvailability[] {
  return [availability('cpu', describeCpuBackend), availability('cuda', describeCudaBackend)];
}

/** The backend that was asked for and no other: MoaError UNAVAILABLE with the reason when this machine lacks it. */
export async function createBackend({ name, threads, device }: BackendOptions): Promise<Backend> {
  switch (name) {
    case 'cpu':
      return createCpuBackend(threads === undefined ? {} : { threads });
    case 'cuda':
      return createCudaBackend(device === undefined ? {} : { device });
    case 'tfjs':
      throw new MoaError('Expected a native backend but received tfjs, the reference that conformance compares with', {
        code: 'UNSUPPORTED',
      });
  }
}

function availability(name: BackendName, describe: () => string): BackendAvailability {
  try {
    return { name, available: true, description: describe() };
  } catch (error) {
    if (!(error instanceof MoaError)) throw error;
    const { message: reason, hint } = error;
    return { name, available: false, reason, ...(hint === undefined ? {} : { hint }) };
  }
}
