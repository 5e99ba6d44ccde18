// Attention, its gradients and its influence as float64 loops over [N, H, D] arrays of one sequence.
import { Rng } from '../../src/core/rng.ts';

export interface Sequence {
  readonly tokens: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** [N, (H + 2 Hkv) * D]: q, k and v side by side, as a fused projection gives them. */
  readonly qkv: Float32Array;
}

/** Random multiples of 1/16 below 2: exact in every storage type, so that only the arithmetic is compared. */
export function randomSixteenths(rng: Rng, length: number): Float32Array {
  return Float32Array.from({ length }, () => rng.int(-31, 31) / 16);
}

export function randomSequence(shape: Omit<Sequence, 'qkv'>): Sequence {
  const { tokens, heads, kvHeads, headDim } = shape;
  return { ...shape, qkv: randomSixteenths(new Rng(JSON.stringify(shape)), tokens * (heads + 2 * kvHeads) * headDim) };
}

/** Element d of head `head` among all q, then k, then v heads. */
function at(s: Sequence, token: number, head: number, d: number): number {
  return s.qkv[(token * (s.heads + 2 * s.kvHeads) + head) * s.headDim + d] as number;
}

export const kvHeadOf = (s: Sequence, head: number): number => Math.floor(head / (s.heads / s.kvHeads));
export const query = (s: Sequence, i: number, head: number, d: number): number => at(s, i, head, d);
export const key = (s: Sequence, j: number, kvHead: number, d: number): number => at(s, j, s.heads + kvHead, d);
export const value = (s: Sequence, j: number, kvHead: number, d: number): number => at(s, j, s.heads + s.kvHeads + kvHead, d);

export interface Weights {
  /** Softmax of the scaled scores of keys 0..i; 0 where not seen. */
  readonly weights: readonly number[];
  readonly logSumExp: number;
}

export function attentionWeights(s: Sequence, head: number, i: number, sees: (j: number) => boolean): Weights {
  const kvHead = kvHeadOf(s, head);
  const scores = Array.from({ length: i + 1 }, (_, j) => {
    if (!sees(j)) return -Infinity;
    let score = 0;
    for (let d = 0; d < s.headDim; d++) score += query(s, i, head, d) * key(s, j, kvHead, d);
    return score / Math.sqrt(s.headDim);
  });
  const largest = Math.max(...scores);
  const exponentials = scores.map((score) => Math.exp(score - largest));
  const sum = exponentials.reduce((a, b) => a + b, 0);
  return { weights: exponentials.map((x) => x / sum), logSumExp: largest + Math.log(sum) };
}

/** [D] */
export function attentionOutput(s: Sequence, head: number, weights: readonly number[]): number[] {
  const kvHead = kvHeadOf(s, head);
  return Array.from({ length: s.headDim }, (_, d) => weights.reduce((sum, w, j) => (w === 0 ? sum : sum + w * value(s, j, kvHead, d)), 0));
}

/** Largest absolute difference; NaN when either side has one. */
export function largestError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return NaN;
  let worst = 0;
  for (let i = 0; i < actual.length; i++) worst = Math.max(worst, Math.abs((actual[i] as number) - (expected[i] as number)));
  return worst;
}
