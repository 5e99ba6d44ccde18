import { mcnemarExact, type PairedCounts, pairedProportions } from '../core/statistics/proportion.ts';
import { type Estimated, studentInterval, studentTest } from '../core/statistics/strata.ts';
import { FEWEST_FOR_SCORES, meanOverStrata } from './stratified.ts';

/** A score of one sample, 0..1; samples that share a document share a cluster, the unit that was drawn. */
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

/** Own minus other's mean over the same samples. */
export interface PairedDifference {
  readonly delta: Estimated;
  readonly test: 'mcnemar-mid-p' | 'stratified-t';
  /** Two-sided; null where the data allow no test. */
  readonly p: number | null;
  /** Samples on which the other did better (`lost`) and worse (`gained`). */
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
 * Difference of shares of right answers (scores 0 or 1), the unweighted mean over strata (lengths): Bonett and Price's interval and the mid-p
 * McNemar test. Where documents have several questions, answers are not independent, and the difference is tested as graded scores are.
 * Strata without pairs are left out; null when none is left.
 */
export function pairedBinary(strata: readonly (readonly Pair[])[]): PairedDifference | null {
  const filled = strata.filter((pairs) => pairs.length > 0);
  if (filled.length === 0) return null;
  if (filled.some((pairs) => new Set(pairs.map(({ cluster }) => cluster)).size < pairs.length)) return pairedGraded(filled);
  const counts = filled.map(
    (pairs): PairedCounts => ({
      gained: pairs.filter(({ own, other }) => own > other).length,
      lost: pairs.filter(({ own, other }) => own < other).length,
      n: pairs.length,
    }),
  );
  const total = (side: 'gained' | 'lost'): number => counts.reduce((sum, stratum) => sum + stratum[side], 0);
  const [gained, lost] = [total('gained'), total('lost')];
  return { delta: pairedProportions(counts), test: 'mcnemar-mid-p', p: mcnemarExact(gained, lost).midP, lost, gained };
}

/**
 * Difference of graded scores, the unweighted mean over strata (tasks): Student's interval and test over documents within strata. Strata without
 * pairs are left out; null when none is left.
 */
export function pairedGraded(strata: readonly (readonly Pair[])[]): PairedDifference | null {
  const filled = strata.filter((pairs) => pairs.length > 0);
  if (filled.length === 0) return null;
  const difference = (pair: Pair): number => pair.own - pair.other;
  const mean = meanOverStrata(filled, difference);
  const differences = filled.flat().map(difference);
  return {
    delta: studentInterval(mean, FEWEST_FOR_SCORES),
    test: 'stratified-t',
    p: studentTest(mean, FEWEST_FOR_SCORES),
    lost: differences.filter((d) => d < 0).length,
    gained: differences.filter((d) => d > 0).length,
  };
}
