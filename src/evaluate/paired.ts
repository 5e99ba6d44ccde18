import { Rng } from '../core/rng.ts';
import { clusterColumns } from '../core/statistics-bootstrap.ts';
import { detectableDifference } from '../core/statistics-power.ts';
import { type Interval, mcnemarExact, newcombePaired } from '../core/statistics-proportion.ts';
import { pairedPermutation } from '../core/statistics-tests.ts';
import { meanOfMeans, RESAMPLES, stratifiedInterval } from './stratified.ts';

/** A score of one sample, 0..1; samples that share a document share a cluster: the unit of resampling. */
export interface ScoredSample {
  readonly sampleId: string;
  readonly cluster: string;
  readonly score: number;
}

/** Two methods' scores of one sample. */
export interface Pair {
  readonly own: number;
  readonly other: number;
  readonly cluster: string;
}

/** Own minus other's mean score on the same samples. */
export interface PairedDifference {
  readonly delta: Interval;
  readonly test: 'mcnemar-exact' | 'sign-flip';
  /** Two-sided. */
  readonly p: number;
  /** Least true difference that so many pairs show with 80% power; null where they show none at all, and for graded scores. */
  readonly detectable: number | null;
  /** Samples on which the other scored higher, and lower. */
  readonly lost: number;
  readonly gained: number;
}

/** Scores of the same samples, matched by id, never by order; samples of one side only are left out. */
export function pairUp(own: readonly ScoredSample[], other: readonly ScoredSample[]): Pair[] {
  const byId = new Map(other.map((sample) => [sample.sampleId, sample.score]));
  return own.flatMap(({ sampleId, cluster, score }) => {
    const match = byId.get(sampleId);
    return match === undefined ? [] : [{ own: score, other: match, cluster }];
  });
}

/**
 * Difference of proportions of right answers (scores 0 or 1, one sample a cluster): Newcombe's paired interval and the exact McNemar
 * test. null without pairs.
 */
export function pairedBinary(pairs: readonly Pair[]): PairedDifference | null {
  if (pairs.length === 0) return null;
  const count = (own: number, theirs: number): number => pairs.filter((pair) => pair.own === own && pair.other === theirs).length;
  const [both, gained, lost, neither] = [count(1, 1), count(1, 0), count(0, 1), count(0, 0)];
  const background = Math.min(gained, lost) / pairs.length; // flips that went both ways are no effect
  return {
    delta: newcombePaired({ both, gained, lost, neither }),
    test: 'mcnemar-exact',
    p: mcnemarExact(gained, lost).p,
    detectable: detectableDifference({ pairs: pairs.length, background }),
    lost,
    gained,
  };
}

/**
 * Difference of graded scores, the unweighted mean over strata (tasks): paired cluster bootstrap, sign-flip permutation over clusters.
 * Strata without pairs are left out; null when none is left.
 */
export function pairedGraded(strata: readonly (readonly Pair[])[], seed: string): PairedDifference | null {
  const filled = strata.filter((pairs) => pairs.length > 0);
  if (filled.length === 0) return null;
  const difference = (pair: Pair): number => pair.own - pair.other;
  const shares = filled.flatMap((pairs) => clusterShares(pairs, difference));
  const { p } = pairedPermutation(
    shares,
    shares.map(() => 0),
    { rng: new Rng(seed), permutations: 2 * RESAMPLES },
  );
  const differences = filled.flat().map(difference);
  return {
    delta: stratifiedInterval({ strata: filled, columns: [difference], statistic: (sums) => meanOfMeans(sums), seed }),
    test: 'sign-flip',
    p,
    detectable: null,
    lost: differences.filter((d) => d < 0).length,
    gained: differences.filter((d) => d > 0).length,
  };
}

/** What each cluster adds to its stratum's mean, so that the permuted statistic is the mean that is reported. */
function clusterShares(pairs: readonly Pair[], difference: (pair: Pair) => number): number[] {
  const [sums] = clusterColumns(
    [pairs.map(difference)],
    pairs.map(({ cluster }) => cluster),
  );
  return Array.from(sums ?? [], (sum) => sum / pairs.length);
}
