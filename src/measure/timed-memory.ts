import type { LanguageModel } from '../model/inference/language-model.ts';
import type { DeviceMemory } from '../native/backend.ts';

/** Memory of one contender, which had the backend to itself while it was read. */
export interface TimedMemory {
  /** KV bytes resident at the end, all sequences. */
  readonly residentBytes: number;
  /** Largest sum of weights, caches and workspace. */
  readonly peakBytes: number;
  readonly rssBytes: number;
  /** What the device said; null for host memory. */
  readonly deviceMemory: DeviceMemory | null;
}

/** The figures since the backend's peak was last reset. */
export function timedMemory({ backend }: LanguageModel, residentBytes: number): TimedMemory {
  const { peakBytes, device = null } = backend.memory();
  return { residentBytes, peakBytes, rssBytes: process.memoryUsage.rss(), deviceMemory: device };
}
