import { MoaError } from '../core/errors.ts';
import { loadAddon } from './addon.ts';
import type { Backend, BackendName } from './backend.ts';
import { createCpuBackend } from './cpu.ts';

/** A native backend on this machine: made by `create`, or the reason why it cannot be. */
export type BackendAvailability =
  | { readonly name: BackendName; readonly status: 'available'; readonly create: () => Backend }
  | { readonly name: BackendName; readonly status: 'unavailable'; readonly reason: string; readonly hint: string | undefined };

/** The native backends, in the order of preference for a default; `tfjs` is added by src/reference. */
export function nativeBackends(): readonly BackendAvailability[] {
  return [cpu(), cuda()];
}

function cpu(): BackendAvailability {
  try {
    loadAddon();
    return { name: 'cpu', status: 'available', create: () => createCpuBackend() };
  } catch (error) {
    if (!(error instanceof MoaError)) throw error;
    return { name: 'cpu', status: 'unavailable', reason: error.message, hint: error.hint };
  }
}

function cuda(): BackendAvailability {
  return { name: 'cuda', status: 'unavailable', reason: 'libmoabench_cuda.so is not built', hint: undefined };
}
