import { invalidArgument } from './errors.ts';
import { normalQuantile } from './statistics-normal.ts';

/** An estimate with its two-sided interval. `n`: how many observations (or clusters) stand behind it. */
export interface Interval {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
  readonly n: number;
}

/**
 * Wilson score interval of a proportion (Wilson 1927); keeps its coverage for small n and near 0 and 1.
 * `level` is the two-sided confidence. Without trials the interval is [0, 1] and the estimate NaN.
 */
export function wilsonInterval(successes: number, trials: number, level = 0.95): Interval {
  if (!(Number.isInteger(trials) && trials >= 0)) throw invalidArgument('a count', 'trials', trials);
  if (!(Number.isInteger(successes) && successes >= 0 && successes <= trials)) {
    throw invalidArgument(`a count of at most ${trials}`, 'successes', successes);
  }
  if (trials === 0) return { estimate: Number.NaN, low: 0, high: 1, n: 0 };
  const z = twoSidedZ(level);
  const p = successes / trials;
  const shrink = 1 + (z * z) / trials;
  const centre = (p + (z * z) / (2 * trials)) / shrink;
  const half = (z / shrink) * Math.sqrt((p * (1 - p)) / trials + (z * z) / (4 * trials * trials));
  return {
    estimate: p,
    low: successes === 0 ? 0 : Math.max(0, centre - half),
    high: successes === trials ? 1 : Math.min(1, centre + half),
    n: trials,
  };
}

export interface McNemar {
  /** Two-sided exact p-value, min(1, 2 P(X <= min(b, c))), X ~ Binomial(b + c, 1/2). */
  readonly p: number;
  /** The mid-p variant: the point probability of the observed split counts half. */
  readonly midP: number;
  readonly discordant: number;
}

/** Exact McNemar test of two methods on the same binary samples; `onlyFirst` and `onlySecond` count the discordant pairs. */
export function mcnemarExact(onlyFirst: number, onlySecond: number): McNemar {
  for (const [name, count] of [
    ['onlyFirst', onlyFirst],
    ['onlySecond', onlySecond],
  ] as const) {
    if (!(Number.isInteger(count) && count >= 0)) throw invalidArgument('a count', name, count);
  }
  const n = onlyFirst + onlySecond;
  if (n === 0) return { p: 1, midP: 1, discordant: 0 };
  const least = Math.min(onlyFirst, onlySecond);
  const { cumulative, point } = halfBinomial(n, least);
  return { p: Math.min(1, 2 * cumulative), midP: Math.min(1, 2 * cumulative - point), discordant: n };
}

/** From this many trials on 2^-n nears the least double, and terms are kept as logarithms; below it they are exact or nearly so. */
const LOG_TRIALS = 1000;

/** P(X <= k) and P(X = k) for X ~ Binomial(n, 1/2). */
function halfBinomial(n: number, k: number): { cumulative: number; point: number } {
  const inLogs = n >= LOG_TRIALS;
  let term = inLogs ? -n * Math.LN2 : 2 ** -n;
  let cumulative = inLogs ? Math.exp(term) : term;
  for (let i = 1; i <= k; i++) {
    const growth = (n - i + 1) / i;
    term = inLogs ? term + Math.log(growth) : term * growth;
    cumulative += inLogs ? Math.exp(term) : term;
  }
  return { cumulative, point: inLogs ? Math.exp(term) : term };
}

/** Pairs of binary outcomes by who was right. */
export interface PairedCounts {
  readonly both: number;
  readonly gained: number;
  readonly lost: number;
  readonly neither: number;
}

/**
 * Interval of a difference of paired proportions from Wilson limits and the pairs' correlation (Newcombe 1998, Statistics in Medicine 17,
 * 2635, method 10). Unlike the bootstrap it does not collapse to a point when no pair disagrees.
 */
export function newcombePaired({ both, gained, lost, neither }: PairedCounts): Interval {
  const n = both + gained + lost + neither;
  const own = wilsonInterval(both + gained, n);
  const other = wilsonInterval(both + lost, n);
  const product = (both + gained) * (lost + neither) * (both + lost) * (gained + neither);
  const determinant = both * neither - gained * lost;
  const corrected = determinant > n / 2 ? determinant - n / 2 : Math.min(determinant, 0);
  const correlation = product === 0 ? 0 : corrected / Math.sqrt(product);
  const width = (a: number, b: number): number => Math.sqrt(Math.max(0, a * a - 2 * correlation * a * b + b * b));
  const difference = (gained - lost) / n;
  return {
    estimate: difference,
    low: Math.max(-1, difference - width(own.estimate - own.low, other.high - other.estimate)),
    high: Math.min(1, difference + width(own.high - own.estimate, other.estimate - other.low)),
    n,
  };
}

/** The z of a two-sided interval at confidence `level`. */
function twoSidedZ(level: number): number {
  if (!(level > 0 && level < 1)) throw invalidArgument('a confidence in (0, 1)', 'level', level);
  return normalQuantile(0.5 + level / 2);
}
