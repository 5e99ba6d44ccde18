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

export const kvHeadOf = (s: Sequence, head: number): number => Math.floor(head / (s.heads / s.kvHeads));

function vectorOf(s: Sequence, token: number, column: number): Float32Array {
  const start = (token * (s.heads + 2 * s.kvHeads) + column) * s.headDim;
  return s.qkv.subarray(start, start + s.headDim);
}
export const query = (s: Sequence, i: number, head: number): Float32Array => vectorOf(s, i, head);
export const key = (s: Sequence, j: number, kvHead: number): Float32Array => vectorOf(s, j, s.heads + kvHead);
export const value = (s: Sequence, j: number, kvHead: number): Float32Array => vectorOf(s, j, s.heads + s.kvHeads + kvHead);

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let d = 0; d < a.length; d++) sum += (a[d] as number) * (b[d] as number);
  return sum;
}

/** into += factor * x */
export function addScaled(into: Float64Array, factor: number, x: ArrayLike<number>): void {
  for (let d = 0; d < into.length; d++) into[d] = (into[d] as number) + factor * (x[d] as number);
}

export interface Weights {
  /** Softmax of the scaled scores of keys 0..i; 0 where not seen. */
  readonly weights: readonly number[];
  readonly logSumExp: number;
}

export function attentionWeights(s: Sequence, head: number, i: number, sees: (j: number) => boolean): Weights {
  const [kvHead, q] = [kvHeadOf(s, head), query(s, i, head)];
  const scores = Array.from({ length: i + 1 }, (_, j) => (sees(j) ? dot(q, key(s, j, kvHead)) / Math.sqrt(s.headDim) : -Infinity));
  const largest = Math.max(...scores);
  const exponentials = scores.map((score) => Math.exp(score - largest));
  const sum = exponentials.reduce((a, b) => a + b, 0);
  return { weights: exponentials.map((x) => x / sum), logSumExp: largest + Math.log(sum) };
}

/** [D] */
export function attentionOutput(s: Sequence, head: number, weights: readonly number[]): Float64Array {
  const [kvHead, out] = [kvHeadOf(s, head), new Float64Array(s.headDim)];
  weights.forEach((weight, j) => {
    if (weight !== 0) addScaled(out, weight, value(s, j, kvHead));
  });
  return out;
}

/** Largest absolute difference; NaN when either side has one. */
export function largestError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return NaN;
  let worst = 0;
  for (let i = 0; i < actual.length; i++) worst = Math.max(worst, Math.abs((actual[i] as number) - (expected[i] as number)));
  return worst;
}
