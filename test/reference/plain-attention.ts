// Attention as plain float64 loops, independent of both backends.

export interface PlainInput {
  /** [N, H, D] */
  readonly q: ArrayLike<number>;
  /** [N, Hkv, D] */
  readonly k: ArrayLike<number>;
  readonly v: ArrayLike<number>;
  readonly tokens: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly scale: number;
}

export function dot(a: ArrayLike<number>, aStart: number, b: ArrayLike<number>, bStart: number, count: number): number {
  let sum = 0;
  for (let d = 0; d < count; d++) sum += (a[aStart + d] as number) * (b[bStart + d] as number);
  return sum;
}

/** Softmax probabilities of query row i over keys 0..i that `sees` allows, for one query head. */
export function plainProbabilities(input: PlainInput, head: number, row: number, sees: (j: number) => boolean): number[] {
  const { heads, kvHeads, headDim } = input;
  const kv = Math.floor(head / (heads / kvHeads));
  const weights: number[] = [];
  for (let j = 0; j <= row; j++) {
    const score = input.scale * dot(input.q, (row * heads + head) * headDim, input.k, (j * kvHeads + kv) * headDim, headDim);
    weights.push(sees(j) ? Math.exp(score) : 0);
  }
  const total = weights.reduce((sum, w) => sum + w, 0);
  return weights.map((w) => w / total);
}

/** Probability-weighted values of one query head. */
export function plainOutput(input: PlainInput, head: number, probabilities: readonly number[]): number[] {
  const { heads, kvHeads, headDim } = input;
  const kv = Math.floor(head / (heads / kvHeads));
  return Array.from({ length: headDim }, (_, d) =>
    probabilities.reduce((sum, p, j) => sum + p * (input.v[(j * kvHeads + kv) * headDim + d] as number), 0),
  );
}
