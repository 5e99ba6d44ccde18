import type { OnProgress } from '../core/progress.ts';
import { generate } from '../model/generate.ts';
import type { LanguageModel } from '../model/language-model.ts';
import type { BackendTraits, DeviceMemory } from '../native/backend.ts';
import type { CacheLayout } from '../plan/cache-layout.ts';
import { interleave } from './interleave.ts';

/** One contender of a timing: a method with the cache it runs on. */
export interface GenerationArm {
  readonly id: string;
  /** Of every sequence of the batch. */
  readonly layout: CacheLayout;
}

export interface GenerationTiming {
  /** One per round; equal indices of two arms were taken side by side. */
  readonly samplesMs: readonly number[];
  /** KV bytes resident after prefill, all sequences. */
  readonly residentBytes: number;
  /** Largest sum of weights, caches and workspace during the arm's rounds. */
  readonly peakBytes: number;
  readonly rssBytes: number;
  /** What the device said after the last round; null for host memory. */
  readonly deviceMemory: DeviceMemory | null;
}

/** What `samplesMs` are read from: users wait for the host too, whatever the device's own clock says. */
export const GENERATION_TIMER: BackendTraits['timer'] = 'wall clock';

export interface GenerationTimingOptions {
  readonly phase: 'prefill' | 'decode';
  /** One prompt per sequence of the batch, all of the context length. */
  readonly prompts: readonly Int32Array[];
  /** Decode steps in one timing; ignored for prefill. */
  readonly newTokens: number;
  readonly chunkTokens: number;
  /** Whether decode steps are replayed from a recording, see `generate`. */
  readonly graph: 'on' | 'off';
  readonly rounds: number;
  readonly seed: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

/**
 * Times whole generations through the function that scores samples, so that what is timed is what is scored. Rounds are interleaved
 * over the arms. `prefill`: wall time of the prompt up to its first token, all sequences. `decode`: wall time of `newTokens` steps.
 */
export async function timeGeneration(
  model: LanguageModel,
  arms: readonly GenerationArm[],
  options: GenerationTimingOptions,
): Promise<ReadonlyMap<string, GenerationTiming>> {
  const memory = new Map<string, Omit<GenerationTiming, 'samplesMs'>>();
  const newTokens = options.phase === 'prefill' ? 1 : options.newTokens + 1;
  const samples = await interleave(
    arms.map((arm) => ({
      id: arm.id,
      run: async () => {
        model.backend.resetPeak();
        const result = await generate(model, {
          requests: options.prompts.map((tokens) => ({ tokens, maxNewTokens: newTokens, layout: arm.layout })),
          chunkTokens: options.chunkTokens,
          graph: options.graph,
          stopTokens: [],
          ...(options.signal === undefined ? {} : { signal: options.signal }),
        });
        const { peakBytes, device = null } = model.backend.memory();
        memory.set(arm.id, {
          residentBytes: result.kvBytes.resident,
          peakBytes,
          rssBytes: process.memoryUsage.rss(),
          deviceMemory: device,
        });
        return options.phase === 'prefill' ? result.prefillMs : result.decodeMs;
      },
    })),
    { ...options, warmupRounds: 1, stage: options.phase },
  );
  return new Map(
    arms.map((arm) => [arm.id, { samplesMs: samples.get(arm.id) ?? [], ...(memory.get(arm.id) as Omit<GenerationTiming, 'samplesMs'>) }]),
  );
}
