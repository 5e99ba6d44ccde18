import { invalidArgument } from '../../core/errors.ts';
import type { Tensor } from '../../native/backend.ts';
import type { CacheLayout } from '../../plan/cache-layout.ts';
import { orAborted } from './abort.ts';
import { createCache } from './caches.ts';
import { forEachLogits, LOGIT_ROWS, prefillHidden } from './forward.ts';
import type { LanguageModel } from './language-model.ts';
import { notFinite } from './not-finite.ts';

/** A prompt with its answer, and the cache that they run through. */
export interface AnswerLossOptions {
  /** Prompt and answer. */
  readonly tokens: Int32Array;
  /** Index of the answer's first token, from 1. */
  readonly answerStart: number;
  readonly layout: CacheLayout;
  readonly chunkTokens?: number;
  readonly signal?: AbortSignal;
}

/** Losses of an answer, and the memory of the cache that they were computed through. */
export interface AnswerLoss {
  /** Nats per answer token. */
  readonly losses: Float32Array;
  /** Bytes of keys and values at the end, read from the allocator. */
  readonly residentKvBytes: number;
}

/**
 * Teacher-forced cross-entropy in nats of each answer token [tokens - answerStart], through the same caches and kernels that generate.
 * The last token is predicted, never fed. Errors as `generate`.
 */
export async function answerLoss(model: LanguageModel, options: AnswerLossOptions): Promise<AnswerLoss> {
  const { tokens, answerStart, layout, signal } = options;
  checkAnswer(tokens, answerStart);
  if (layout.tokens < tokens.length) throw invalidArgument(`at least ${tokens.length}`, 'layout.tokens', layout.tokens);
  const cache = createCache(model, [layout]);
  let hidden: Tensor | null = null;
  try {
    cache.assertResident();
    hidden = await prefillHidden(model, {
      cache,
      sequence: 0,
      tokens: tokens.subarray(0, -1),
      rows: answerRows(tokens, answerStart),
      signal,
      ...(options.chunkTokens === undefined ? {} : { chunkTokens: options.chunkTokens }),
    });
    const losses = await rowLosses(model, { hidden, targets: tokens.subarray(answerStart), signal });
    const bad = losses.findIndex((loss) => !Number.isFinite(loss));
    if (bad >= 0) throw notFinite(`answer token ${bad}`, losses[bad] as number);
    cache.assertResident();
    return { losses, residentKvBytes: cache.kv.residentBytes };
  } finally {
    hidden?.dispose();
    cache.dispose();
  }
}

/** Rows whose next token is in the answer: answerStart - 1 up to the row before the last token. */
export function answerRows(tokens: Int32Array, answerStart: number): Int32Array {
  return Int32Array.from({ length: tokens.length - answerStart }, (_, i) => answerStart - 1 + i);
}

/** @throws MoaError INVALID_ARGUMENT. */
export function checkAnswer(tokens: Int32Array, answerStart: number): void {
  if (!Number.isInteger(answerStart) || answerStart < 1 || answerStart >= tokens.length) {
    throw invalidArgument(`an integer from 1 to ${tokens.length - 1} (tokens - 1)`, 'answerStart', answerStart);
  }
}

async function rowLosses(
  model: LanguageModel,
  at: { readonly hidden: Tensor; readonly targets: Int32Array; readonly signal: AbortSignal | undefined },
): Promise<Float32Array> {
  const { backend } = model;
  const all = new Float32Array(at.targets.length);
  const targets = backend.tensor('i32', [at.targets.length]);
  const losses = backend.tensor('f32', [Math.min(at.targets.length, LOGIT_ROWS)]);
  try {
    targets.write(at.targets);
    await forEachLogits(model, at.hidden, async (logits, start) => {
      const count = logits.shape[0] ?? 0;
      backend.crossEntropy({ logits, targets: targets.rows(start, count), losses: losses.rows(0, count) });
      all.set((await orAborted(losses.rows(0, count).read(), at.signal)) as Float32Array, start);
    });
    return all;
  } finally {
    targets.dispose();
    losses.dispose();
  }
}
