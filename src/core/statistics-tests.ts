import { invalidArgument } from './errors.ts';
import type { Rng } from './rng.ts';

/** Holm's step-down adjusted p-values, in the order given: reject those <= alpha at family-wise error alpha. */
export function holm(pValues: readonly number[]): number[] {
  for (const p of pValues) if (!(p >= 0 && p <= 1)) throw invalidArgument('p-values in [0, 1]', 'holm', p);
  const order = pValues.map((_, index) => index).sort((a, b) => (pValues[a] as number) - (pValues[b] as number));
  const adjusted = new Array<number>(pValues.length).fill(1);
  let floor = 0;
  order.forEach((index, rank) => {
    floor = Math.max(floor, Math.min(1, (pValues.length - rank) * (pValues[index] as number)));
    adjusted[index] = floor;
  });
  return adjusted;
}

export interface PermutationResult {
  /** Two-sided p-value. */
  readonly p: number;
  readonly meanDifference: number;
  /** Whether all 2^n sign patterns were enumerated; otherwise p = (1 + hits) / (1 + permutations). */
  readonly exact: boolean;
}

/** Up to this many non-zero differences all sign patterns (65,536) are enumerated. */
const EXACT_PAIRS = 16;

/** Paired sign-flip permutation test of mean(first - second) = 0; two-sided. Pairs are matched by position. */
export function pairedPermutation(
  first: readonly number[],
  second: readonly number[],
  options: { rng: Rng; permutations?: number },
): PermutationResult {
  if (first.length !== second.length || first.length === 0) {
    throw invalidArgument('two lists of the same length >= 1', 'pairedPermutation', [first.length, second.length]);
  }
  const differences = first.map((value, index) => value - (second[index] as number));
  const total = differences.reduce((a, b) => a + b, 0);
  const moving = differences.filter((d) => d !== 0);
  const meanDifference = total / first.length;
  // Sums that differ only by rounding count as ties with the observed one.
  const threshold = Math.abs(total) - 1e-12 * moving.reduce((a, d) => a + Math.abs(d), 0);
  if (moving.length <= EXACT_PAIRS) {
    return { p: exactShare(moving, threshold), meanDifference, exact: true };
  }
  const permutations = options.permutations ?? 10_000;
  let hits = 0;
  for (let b = 0; b < permutations; b++) {
    if (Math.abs(randomSignSum(moving, options.rng)) >= threshold) hits++;
  }
  return { p: (1 + hits) / (1 + permutations), meanDifference, exact: false };
}

function exactShare(moving: readonly number[], threshold: number): number {
  const patterns = 2 ** moving.length;
  let hits = 0;
  for (let pattern = 0; pattern < patterns; pattern++) {
    let total = 0;
    for (let i = 0; i < moving.length; i++) total += (pattern >> i) & 1 ? -(moving[i] as number) : (moving[i] as number);
    if (Math.abs(total) >= threshold) hits++;
  }
  return hits / patterns;
}

function randomSignSum(moving: readonly number[], rng: Rng): number {
  let total = 0;
  let bits = 0;
  for (let i = 0; i < moving.length; i++) {
    if (i % 32 === 0) bits = rng.uint32();
    total += bits & 1 ? -(moving[i] as number) : (moving[i] as number);
    bits >>>= 1;
  }
  return total;
}
