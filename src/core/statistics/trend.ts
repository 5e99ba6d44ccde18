import { invalidArgument } from '../errors.ts';
import { median } from './descriptive.ts';
import { normalCdf } from './normal.ts';

/** Up to this many values, all series together, the exact distribution is counted: Kendall's statistic then takes at most 1,771 values. */
const EXACT_VALUES = 60;

export interface Trend {
  /** Two-sided p-value of "no trend": every order of a series' values is equally likely. */
  readonly p: number;
  /** Least p-value that series of these lengths can give. */
  readonly leastP: number;
  /** Median slope over all pairs within a series (Theil 1950, Sen 1968), per step. */
  readonly slope: number;
}

/**
 * Trend over the steps of several independent series: Kendall's S summed over them (Mann 1945, Kendall 1938). The test sees monotone drift
 * of any shape, and the series may have different levels. @throws INVALID_ARGUMENT without a series of two values.
 */
export function trendTest(series: readonly (readonly number[])[]): Trend {
  const long = series.filter((values) => values.length >= 2);
  if (long.length === 0) throw invalidArgument('a series of at least two values', 'trendTest', series);
  const slopes: number[] = [];
  let statistic = 0;
  for (const values of long) {
    for (let i = 0; i < values.length; i++) {
      for (let j = i + 1; j < values.length; j++) {
        const rise = (values[j] as number) - (values[i] as number);
        if (!Number.isFinite(rise)) throw invalidArgument('finite values', 'trendTest', rise);
        statistic += Math.sign(rise);
        slopes.push(rise / (j - i));
      }
    }
  }
  const lengths = long.map((values) => values.length);
  const pairs = lengths.reduce((sum, n) => sum + (n * (n - 1)) / 2, 0);
  return { p: pOf(lengths, Math.abs(statistic)), leastP: pOf(lengths, pairs), slope: median(slopes) };
}

/** P(|S| >= statistic) over all orders. */
function pOf(lengths: readonly number[], statistic: number): number {
  const total = lengths.reduce((sum, n) => sum + n, 0);
  if (total > EXACT_VALUES) {
    const variance = lengths.reduce((sum, n) => sum + (n * (n - 1) * (2 * n + 5)) / 18, 0);
    return Math.min(1, 2 * normalCdf(-Math.max(0, statistic - 1) / Math.sqrt(variance)));
  }
  const shares = discordances(lengths);
  const pairs = shares.length - 1;
  let p = 0;
  shares.forEach((share, discordant) => {
    if (Math.abs(pairs - 2 * discordant) >= statistic) p += share;
  });
  return Math.min(1, p);
}

/**
 * Entry [d]: the probability of d discordant pairs in all series together. Inserting the i-th value of a series adds 0 to i - 1 of them,
 * each number equally likely.
 */
function discordances(lengths: readonly number[]): Float64Array {
  let shares = Float64Array.of(1);
  for (const length of lengths) {
    for (let i = 2; i <= length; i++) {
      const next = new Float64Array(shares.length + i - 1);
      shares.forEach((share, count) => {
        for (let added = 0; added < i; added++) next[count + added] = (next[count + added] as number) + share / i;
      });
      shares = next;
    }
  }
  return shares;
}
