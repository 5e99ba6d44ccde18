import { invalidArgument } from '../errors.ts';
import { normalQuantile } from './normal.ts';

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
  const share = successes / trials;
  return { estimate: share, ...wilsonLimits(share, trials, twoSidedZ(level)), n: trials };
}

/** Wilson's limits for a share of `trials` > 0, which may be an effective number; `z` is the two-sided quantile. */
export function wilsonLimits(share: number, trials: number, z: number): { readonly low: number; readonly high: number } {
  const shrink = 1 + (z * z) / trials;
  const centre = (share + (z * z) / (2 * trials)) / shrink;
  const half = (z / shrink) * Math.sqrt((share * (1 - share)) / trials + (z * z) / (4 * trials * trials));
  return { low: share === 0 ? 0 : Math.max(0, centre - half), high: share === 1 ? 1 : Math.min(1, centre + half) };
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

/**
 * From this many trials on, terms are kept as logarithms, because 2^-n comes near the least double. Below it, terms are exact or nearly so.
 */
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

/** Pairs of binary outcomes: `gained` where only the first is right, `lost` where only the second is, of `n` > 0. */
export interface PairedCounts {
  readonly gained: number;
  readonly lost: number;
  readonly n: number;
}

/**
 * Interval of a difference of paired proportions, first minus second. The estimate is the unweighted mean over strata of (gained - lost) /
 * n. The interval is Wald's after one pair is added on each side (Bonett & Price 2012, J. Educ. Behav. Stat. 37, 479), divided evenly among
 * the strata, so that it does not collapse where no pair disagrees. The variances of the strata add up. `n` counts pairs.
 */
export function pairedProportions(strata: readonly PairedCounts[]): Interval {
  if (strata.length === 0) throw invalidArgument('at least one stratum', 'pairedProportions', strata);
  const added = 1 / strata.length;
  let [estimate, centre, variance, pairs] = [0, 0, 0, 0];
  for (const { gained, lost, n } of strata) {
    const [up, down] = [(gained + added) / (n + 2 * added), (lost + added) / (n + 2 * added)];
    estimate += (gained - lost) / n / strata.length;
    centre += (up - down) / strata.length;
    variance += (up + down - (up - down) ** 2) / (n + 2 * added) / strata.length ** 2;
    pairs += n;
  }
  const half = twoSidedZ(0.95) * Math.sqrt(variance);
  return { estimate, low: Math.max(-1, centre - half), high: Math.min(1, centre + half), n: pairs };
}

/** The z of a two-sided interval at confidence `level`. */
function twoSidedZ(level: number): number {
  if (!(level > 0 && level < 1)) throw invalidArgument('a confidence in (0, 1)', 'level', level);
  return normalQuantile(0.5 + level / 2);
}
