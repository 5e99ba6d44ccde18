import { Rng } from '../core/rng.ts';
import { bootstrapSums, clusterColumns } from '../core/statistics-bootstrap.ts';
import { type Interval, mcnemarExact, minimumDetectableEffect, wilsonInterval } from '../core/statistics-proportion.ts';
import { holm, pairedPermutation } from '../core/statistics-tests.ts';
import type { Paired } from './summary.ts';

/** A score of one sample; clusters are the units of resampling. */
export interface Scored {
  readonly sampleId: string;
  readonly cluster: string;
  readonly score: number;
}

export interface Pair {
  readonly own: number;
  readonly other: number;
  readonly cluster: string;
}

/** Bootstrap resamples: the limits then wander by some 3% of the interval's width, and a report takes a second. */
export const RESAMPLES = 2000;
/** Disagreement assumed for the detectable difference when none was seen: the noise of greedy decoding alone flips some answers. */
const LEAST_DISCORDANCE = 0.05;

/** Scores of the same samples, matched by id. */
export function pairUp(own: readonly Scored[], other: readonly Scored[]): Pair[] {
  const byId = new Map(other.map((sample) => [sample.sampleId, sample.score]));
  return own.flatMap(({ sampleId, cluster, score }) => {
    const match = byId.get(sampleId);
    return match === undefined ? [] : [{ own: score, other: match, cluster }];
  });
}

/** Own minus other's proportion of right answers: Newcombe's paired interval and the exact McNemar test. null without pairs. */
export function pairedBinary(other: string, pairs: readonly Pair[]): Paired | null {
  if (pairs.length === 0) return null;
  const count = (own: number, theirs: number): number => pairs.filter((pair) => pair.own === own && pair.other === theirs).length;
  const [both, gained, lost, neither] = [count(1, 1), count(1, 0), count(0, 1), count(0, 0)];
  const { p } = mcnemarExact(gained, lost);
  const discordance = Math.max((gained + lost) / pairs.length, LEAST_DISCORDANCE);
  const detectable = minimumDetectableEffect({ pairs: pairs.length, discordance });
  return { other, delta: newcombePaired({ both, gained, lost, neither }), test: 'mcnemar-exact', p, pHolm: p, detectable, lost, gained };
}

/**
 * Own minus other's mean of graded scores, the unweighted mean over strata (tasks): paired cluster bootstrap, sign-flip permutation over
 * clusters. null without pairs.
 */
export function pairedGraded(other: string, strata: readonly (readonly Pair[])[], seed: string): Paired | null {
  const filled = strata.filter((pairs) => pairs.length > 0);
  if (filled.length === 0) return null;
  const columns = filled.map((pairs) =>
    clusterColumns(
      [pairs.map((pair) => pair.own - pair.other)],
      pairs.map((pair) => pair.cluster),
    ),
  );
  const delta = bootstrapSums(columns, meanOfMeans, { seed, resamples: RESAMPLES });
  // A cluster's share of the stratified mean, so that the permuted statistic is the mean that is reported.
  const shares = columns.flatMap(([sums, sizes]) => {
    const size = (sizes as Float64Array).reduce((a, b) => a + b, 0);
    return Array.from(sums as Float64Array, (sum) => sum / size);
  });
  const { p } = pairedPermutation(
    shares,
    shares.map(() => 0),
    { rng: new Rng(seed), permutations: 2 * RESAMPLES },
  );
  const all = filled.flat();
  const lost = all.filter((pair) => pair.own < pair.other).length;
  const gained = all.filter((pair) => pair.own > pair.other).length;
  return { other, delta: { ...delta, n: all.length }, test: 'sign-flip', p, pHolm: p, detectable: null, lost, gained };
}

/** The mean over strata of (sum of the first column / sum of the last: the sizes). */
export function meanOfMeans(sums: readonly Float64Array[]): number {
  return sums.reduce((total, stratum) => total + (stratum[0] as number) / (stratum.at(-1) as number), 0) / sums.length;
}

/** Holm-adjusts a family of comparisons; missing ones stay missing. */
export function adjustFamily(family: readonly (Paired | null)[]): (Paired | null)[] {
  const present = family.filter((paired) => paired !== null);
  const adjusted = holm(present.map((paired) => paired.p));
  let next = 0;
  return family.map((paired) => (paired === null ? null : { ...paired, pHolm: adjusted[next++] as number }));
}

interface PairedCounts {
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
