import type { OnProgress } from '../core/progress.ts';
import type { LanguageModel } from '../model/inference/language-model.ts';
import { answerLoss } from '../model/inference/loss.ts';
import { cacheLayout, type LayoutOptions } from '../plan/cache-layout.ts';
import type { Plan } from '../plan/schema.ts';
import type { CalibrationSet } from './calibrate.ts';
import type { ParetoFront } from './optimize/front.ts';

/** The Pareto front of one method with the loss of every plan at the unseen length; `chosen` has the least. */
export interface ValidatedFront {
  readonly front: ParetoFront;
  /** One plan per point of the front. */
  readonly plans: readonly Plan[];
  /** Mean answer loss in nats per token, per point. */
  readonly validationLosses: readonly number[];
  readonly chosen: number;
}

export interface ValidateOptions {
  readonly kvDType: 'f32' | 'f16' | 'bf16';
  /** The same settings as for samples that are scored later, so that a plan is chosen at the spans at which it is scored. */
  readonly generation: Pick<LayoutOptions, 'reserveTokens' | 'reserveAfter'> & { readonly chunkTokens: number };
  /** Every sample weighs the same, or every task. */
  readonly mean: 'samples' | 'tasks';
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

/**
 * Answer loss of each plan on samples of a longer length than was profiled (MoA section 4.2), through the compressed cache and the kernels
 * that are scored and timed later. Prompt and answer run through the cache in chunks, under the plan, and the loss is that of predicting
 * each answer token.
 */
export async function validationLosses(
  model: LanguageModel,
  plans: readonly Plan[],
  set: CalibrationSet,
  options: ValidateOptions,
): Promise<readonly number[]> {
  const sums = plans.map(() => 0);
  const weights = weightsOf(set, options.mean);
  let done = 0;
  for (const [i, item] of set.items.entries()) {
    for (const [p, plan] of plans.entries()) {
      options.signal?.throwIfAborted();
      options.onProgress?.({ stage: 'validate', done, total: set.items.length * plans.length, detail: `${set.length} tokens` });
      const { losses } = await answerLoss(model, {
        tokens: Int32Array.from(item.tokens),
        answerStart: item.answerStart,
        layout: cacheLayout(plan, {
          promptTokens: item.answerStart,
          newTokens: item.tokens.length - item.answerStart,
          reserveTokens: options.generation.reserveTokens,
          reserveAfter: options.generation.reserveAfter,
          dtype: options.kvDType,
        }),
        chunkTokens: options.generation.chunkTokens,
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      });
      sums[p] = (sums[p] as number) + ((weights[i] as number) * losses.reduce((a, b) => a + b, 0)) / losses.length;
      done++;
    }
  }
  options.onProgress?.({ stage: 'validate', done, total: done, detail: `${set.length} tokens` });
  return sums;
}

/** Weight of every sample in the mean; they add up to 1. */
function weightsOf({ items }: CalibrationSet, mean: ValidateOptions['mean']): number[] {
  if (mean === 'samples') return items.map(() => 1 / items.length);
  const counts = new Map<string, number>();
  for (const { task } of items) counts.set(task, (counts.get(task) ?? 0) + 1);
  return items.map(({ task }) => 1 / (counts.size * (counts.get(task) as number)));
}

/** Index of the least loss; the first of equals. */
export function leastLoss(losses: readonly number[]): number {
  let best = 0;
  for (const [i, loss] of losses.entries()) if (loss < (losses[best] as number)) best = i;
  return best;
}
