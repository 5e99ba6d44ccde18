import { createCache } from '../../model/inference/caches.ts';
import { prefill } from '../../model/inference/forward.ts';
import { generate } from '../../model/inference/generate.ts';
import type { LanguageModel } from '../../model/inference/language-model.ts';
import type { FloatDType } from '../../native/backend.ts';
import { wholeLayout } from '../../plan/cache-layout.ts';

/**
 * Two logits of the reference are a tie when they differ by less than this, relative to the larger one: another backend may then choose the other
 * token. bf16 activations round by 2^-8. In f32, a sum over thousands of products changes by about 1e-5 when its order changes.
 */
const TIE: Readonly<Record<FloatDType, number>> = { bf16: 2 ** -8, f16: 2 ** -8, f32: 1e-4 };

/** Where an answer departs from the reference's answer. */
export interface Divergence {
  /** Index of the first token that differs. */
  readonly token: number;
  /** How far apart the reference's logits of the two tokens are, relative to the larger. */
  readonly gap: number;
  readonly isTie: boolean;
}

/** The greedy answer to a prompt, from a dense cache of this dtype. */
export async function greedyAnswer(
  model: LanguageModel,
  { prompt, maxNewTokens, kvDType, signal }: { prompt: Int32Array; maxNewTokens: number; kvDType: FloatDType; signal?: AbortSignal },
): Promise<Int32Array> {
  const layout = wholeLayout(model.config, { tokens: prompt.length + maxNewTokens, dtype: kvDType });
  const { outputs } = await generate(model, {
    requests: [{ tokens: prompt, layout, maxNewTokens }],
    ...(signal === undefined ? {} : { signal }),
  });
  return outputs[0]?.tokens ?? new Int32Array(0);
}

/** Where `received` departs from `wanted`, the reference's answer; null when they are equal. `dtype`: the dtype of the other backend's activations. */
export async function divergence(
  reference: LanguageModel,
  { prompt, wanted, received, dtype }: { prompt: Int32Array; wanted: Int32Array; received: Int32Array; dtype: FloatDType },
): Promise<Divergence | null> {
  const longer = Math.max(wanted.length, received.length);
  const token = Array.from({ length: longer }, (_, i) => i).find((i) => wanted[i] !== received[i]);
  if (token === undefined) return null;
  const [a, b] = [wanted[token], received[token]];
  if (a === undefined || b === undefined) return { token, gap: Number.POSITIVE_INFINITY, isTie: false };
  const tokens = Int32Array.from([...prompt, ...wanted.subarray(0, token)]);
  const cache = createCache(reference, [wholeLayout(reference.config, { tokens: tokens.length, dtype: reference.activationDType })]);
  try {
    const logits = await prefill(reference, { cache, sequence: 0, tokens });
    const [x, y] = [logits[a] ?? 0, logits[b] ?? 0];
    const gap = Math.abs(x - y) / Math.max(Math.abs(x), Math.abs(y));
    return { token, gap, isTie: gap < TIE[dtype] };
  } finally {
    cache.dispose();
  }
}
