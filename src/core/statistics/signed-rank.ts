import { invalidArgument } from '../errors.ts';
import { median } from './descriptive.ts';
import { normalCdf, normalQuantile } from './normal.ts';

/**
 * Fewest values that have an interval at 95%. Of the 2^5 sign patterns of five values, the two extreme ones already have a probability of
 * 6.25%.
 */
export const LEAST_SIGNED_RANK = 6;
/** Up to this many values the exact distribution is counted; above, the normal approximation is good to three digits. */
const EXACT_VALUES = 50;

/**
 * Median of the averages of all pairs of values, including each value with itself (Hodges & Lehmann 1963). It is robust against outliers
 * and nearly as efficient as the mean.
 */
export function pseudomedian(values: readonly number[]): number {
  return median(walshAverages(values));
}

/**
 * Confidence interval of the centre of symmetry, from Wilcoxon's signed-rank test (Hollander & Wolfe 3.3). Its coverage is at least `level`
 * for any symmetric distribution. null where there are too few values for this level (fewer than 6 at 95%).
 */
export function signedRankInterval(values: readonly number[], level = 0.95): { readonly low: number; readonly high: number } | null {
  if (!(level > 0 && level < 1)) throw invalidArgument('a confidence in (0, 1)', 'level', level);
  const averages = walshAverages(values);
  const rank = criticalRank(values.length, (1 - level) / 2);
  if (rank < 1) return null;
  return { low: averages[rank - 1] as number, high: averages[averages.length - rank] as number };
}

/**
 * Two-sided p-value of Wilcoxon's signed-rank test against a centre of 0; zeros are left out, ties share their ranks, and the distribution
 * is computed for these shared ranks.
 */
export function signedRankP(values: readonly number[]): number {
  requireFinite(values);
  const moving = values.filter((value) => value !== 0);
  if (moving.length === 0) return 1;
  const ranks = doubledRanks(moving.map(Math.abs));
  const total = ranks.reduce((a, b) => a + b, 0);
  const positive = moving.reduce((sum, value, i) => sum + (value > 0 ? (ranks[i] as number) : 0), 0);
  const least = Math.min(positive, total - positive);
  if (moving.length > EXACT_VALUES) {
    const deviation = Math.sqrt(ranks.reduce((sum, rank) => sum + rank * rank, 0)) / 2;
    return Math.min(1, 2 * normalCdf((least + 1 - total / 2) / deviation)); // half a rank, for continuity
  }
  return Math.min(1, 2 * shareUpTo(signSums(ranks), least));
}

/** Sorted averages of all pairs i <= j. */
function walshAverages(values: readonly number[]): Float64Array {
  requireFinite(values);
  const averages = new Float64Array((values.length * (values.length + 1)) / 2);
  let at = 0;
  for (let i = 0; i < values.length; i++) {
    for (let j = i; j < values.length; j++) averages[at++] = ((values[i] as number) + (values[j] as number)) / 2;
  }
  return averages.sort();
}

/** Known ranks, by "n/tail". They are kept because counting takes longer than all other work for an interval. */
const criticalRanks = new Map<string, number>();

/** The largest k with P(W < k) <= tail, where W is the signed-rank statistic of n values. */
function criticalRank(n: number, tail: number): number {
  const key = `${n}/${tail}`;
  const known = criticalRanks.get(key);
  if (known !== undefined) return known;
  const rank = countCriticalRank(n, tail);
  criticalRanks.set(key, rank);
  return rank;
}

function countCriticalRank(n: number, tail: number): number {
  if (n > EXACT_VALUES) {
    const deviation = Math.sqrt((n * (n + 1) * (2 * n + 1)) / 24);
    return Math.floor((n * (n + 1)) / 4 + normalQuantile(tail) * deviation + 0.5);
  }
  const counts = signSums(Array.from({ length: n }, (_, i) => i + 1));
  const patterns = 2 ** n;
  let below = 0;
  for (let k = 0; k < counts.length; k++) {
    below += counts[k] as number;
    if (below / patterns > tail) return k;
  }
  return 0;
}

/** How many sign patterns give each sum of the positive ranks. */
function signSums(ranks: readonly number[]): Float64Array {
  const counts = new Float64Array(ranks.reduce((a, b) => a + b, 0) + 1);
  counts[0] = 1;
  let top = 0;
  for (const rank of ranks) {
    top += rank;
    for (let sum = top; sum >= rank; sum--) counts[sum] = (counts[sum] as number) + (counts[sum - rank] as number);
  }
  return counts;
}

function shareUpTo(counts: Float64Array, limit: number): number {
  let below = 0;
  let all = 0;
  counts.forEach((count, sum) => {
    all += count;
    if (sum <= limit) below += count;
  });
  return below / all;
}

/** Twice the ranks, so that shared ranks are whole. */
function doubledRanks(magnitudes: readonly number[]): number[] {
  const sorted = magnitudes.toSorted((a, b) => a - b);
  return magnitudes.map((value) => sorted.indexOf(value) + sorted.lastIndexOf(value) + 2);
}

function requireFinite(values: readonly number[]): void {
  if (values.length === 0) throw invalidArgument('at least one value', 'signed ranks', values);
  for (const value of values) if (!Number.isFinite(value)) throw invalidArgument('finite values', 'signed ranks', value);
}
