import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MoaError } from '../core/errors.ts';
import type { Backend } from './backend.ts';

/** What native/binding/module.cc exports. Its objects implement the contract of backend.ts directly and throw MoaError. */
export interface Addon {
  createCpuBackend(options: { readonly threads: number }): Backend;
  describeCpuBackend(threads: number): string;
  /** `library`: path of libmoabench_cuda.so; the first one opened serves the whole process. */
  createCudaBackend(options: { readonly library: string; readonly device: number }): Backend;
  describeCudaBackend(library: string, device: number): string;
  useErrorClass(errorClass: typeof MoaError): void;
  /** The instruction set that the build needs and this machine lacks. */
  cpuMismatch(): string | undefined;
  /** See native/binding/signal_watch.h. Missing from an addon that was built before there was one. */
  readonly watchSignals?: (graceMs: number, lastWords: string) => void;
  readonly unwatchSignals?: () => void;
}

const BUILD_HINT = 'Run `moabench build` (it needs CMake and a C++20 compiler), then `moabench doctor`.';

/** Where the addon is looked for: MOABENCH_ADDON (a build of one's own), else native/build in this package. */
export function addonPath(): string {
  const named = process.env.MOABENCH_ADDON;
  return named !== undefined ? resolve(named) : fileURLToPath(new URL('../../native/build/moabench.node', import.meta.url));
}

function unavailable(what: string, cause?: unknown): MoaError {
  const received = `Expected the native addon at ${addonPath()} for ${platform()} ${arch()} but ${what}`;
  return new MoaError(received, { code: 'UNAVAILABLE', hint: BUILD_HINT, ...(cause === undefined ? {} : { cause }) });
}

/**
 * GNU OpenMP's threads spin for milliseconds at every barrier by default. On a machine with other work, this starves the thread that the
 * others wait for (measured: decode was 7 times slower when two busy cores were shared). About 10 us of spinning still covers the gap
 * between two ops.
 */
function boundSpinning(): void {
  if (process.env.OMP_WAIT_POLICY === undefined) process.env.GOMP_SPINCOUNT ??= '10000';
}

let loaded: Addon | undefined;

/**
 * The native addon, loaded once per process. Throws MoaError UNAVAILABLE that says why it cannot be used: not built, built for
 * another platform or Node, or for a CPU with more instructions than this one.
 */
export function loadAddon(): Addon {
  if (loaded !== undefined) return loaded;
  const path = addonPath();
  if (!existsSync(path)) throw unavailable('it has not been built');
  boundSpinning();
  let addon: Addon;
  try {
    addon = createRequire(import.meta.url)(path) as Addon;
  } catch (cause) {
    throw unavailable(`it cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  const missing = addon.cpuMismatch();
  if (missing !== undefined) throw unavailable(`it was built for a CPU with ${missing}, which this one lacks`);
  addon.useErrorClass(MoaError);
  loaded = addon;
  return addon;
}
