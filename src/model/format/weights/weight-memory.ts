import { freemem } from 'node:os';
import { MoaError } from '../../../core/errors.ts';
import { type Backend, BYTES_PER_ELEMENT, type FloatDType } from '../../../native/backend.ts';
import type { ModelConfig } from '../config.ts';
import { weightElements } from './weights.ts';

/**
 * Refuses weights that need more memory than is free on the device or on the host, before any are loaded. The few f32 vectors are counted
 * in the dtype of the matrices.
 * @throws MoaError OUT_OF_MEMORY.
 */
export function requireMemoryFor(config: ModelConfig, dtype: FloatDType, backend: Pick<Backend, 'memory' | 'name'>): void {
  // The reference backend computes and stores in f32 whatever the dtype says.
  const needed = weightElements(config) * BYTES_PER_ELEMENT[backend.name === 'tfjs' ? 'f32' : dtype];
  const { device } = backend.memory();
  const free = device === undefined ? freeHostBytes() : device.freeBytes + device.poolReservedBytes - device.poolUsedBytes;
  if (needed <= free) return;
  const kind = device === undefined ? 'free memory' : 'free device memory';
  throw new MoaError(`Expected ${size(needed)} of ${kind} for weights in ${dtype} but received ${size(free)}`, {
    code: 'OUT_OF_MEMORY',
    hint: 'Choose a smaller model or model.weightDType, or end what else uses the memory.',
  });
}

/**
 * The memory that Linux calls available, or what a container's limit leaves beside this process, whichever is less. Cached files do not
 * count as used, because the kernel drops them when memory is needed.
 */
function freeHostBytes(): number {
  const limit = process.constrainedMemory() || Number.POSITIVE_INFINITY;
  return Math.min(freemem(), limit - process.memoryUsage.rss());
}

function size(bytes: number): string {
  return bytes < 2 ** 30 ? `${(bytes / 2 ** 20).toFixed(1)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
