import { generate } from '../model/inference/generate.ts';
import type { LanguageModel } from '../model/inference/language-model.ts';
import type { CacheLayout } from '../plan/cache-layout.ts';
import type { Arm } from './interleave.ts';
import { type TimedMemory, timedMemory } from './timed-memory.ts';

export interface PrefillArmOptions {
  readonly id: string;
  readonly model: LanguageModel;
  readonly layout: CacheLayout;
  readonly prompt: Int32Array;
  readonly chunkTokens: number;
  readonly graph: 'on' | 'off';
  readonly signal?: AbortSignal | undefined;
  readonly onMemory: (memory: TimedMemory) => void;
}

/** Times a whole prompt up to its first token, with the function that generates when samples are scored. */
export function prefillArm({ id, model, prompt, layout, onMemory, signal, ...options }: PrefillArmOptions): Arm {
  return {
    id,
    async run() {
      model.backend.resetPeak();
      const { prefillMs, kvBytes } = await generate(model, {
        requests: [{ tokens: prompt, maxNewTokens: 1, layout }],
        stopTokens: [],
        ...options,
        ...(signal === undefined ? {} : { signal }),
      });
      onMemory(timedMemory(model, kvBytes.resident));
      return prefillMs;
    },
  };
}
