import { type Interval, wilsonInterval, wilsonLimits } from '../core/statistics/proportion.ts';
import { spreadOf } from '../core/statistics/strata.ts';
import { studentQuantile } from '../core/statistics/student.ts';
import { type Clustered, FEWEST_FOR_SCORES, meanOverStrata } from './stratified.ts';

/** One answer, right or wrong. */
export interface Answer extends Clustered {
  readonly correct: boolean;
}

/** A share of right answers. `trials` is the number of independent answers that would be as informative, at most as many as there are. */
interface EffectiveShare {
  readonly share: number;
  readonly trials: number;
  /** Degrees of freedom of `trials`; LARGE where answers are independent by design. */
  readonly degrees: number;
}

/** Beyond this many degrees Student's quantile is the normal one to four digits. */
const LARGE = 1e6;

/**
 * Share of right answers over strata (lengths), each weighing the same, with Wilson's interval for the number of trials that would give its
 * variance. Strata that differ make the mean more certain than a pooled share; questions that share a document make it less certain. `n`
 * counts answers; every stratum must have one.
 */
export function meanShare(strata: readonly (readonly Answer[])[]): Interval {
  const [only] = strata;
  const n = strata.reduce((total, answers) => total + answers.length, 0);
  const independent = strata.every((answers) => documentsOf(answers) === answers.length);
  if (independent && strata.length === 1) return wilsonInterval((only ?? []).filter(({ correct }) => correct).length, n);
  const parts = strata.map(effectiveShare);
  const share = parts.reduce((total, part) => total + part.share, 0) / parts.length;
  const variances = parts.map(({ share: own, trials }) => smoothedVariance(own, trials) / trials / parts.length ** 2);
  const variance = variances.reduce((a, b) => a + b, 0);
  const all = parts.reduce((total, { trials }) => total + trials, 0);
  const smoothed = parts.reduce((total, { share: own, trials }) => total + smoothedShare(own, trials), 0) / parts.length;
  const trials = (smoothed * (1 - smoothed) * all) / Math.max(1, all - 1) / variance;
  const degrees = variance ** 2 / variances.reduce((total, own, s) => total + own ** 2 / (parts[s]?.degrees ?? LARGE), 0);
  return { estimate: share, ...wilsonLimits(share, trials, studentQuantile(0.975, Math.min(LARGE, degrees))), n };
}

/**
 * How many independent answers a list is worth. Answers to questions on one document are alike; the variance over documents shows how much,
 * and is never taken below that of independent answers. Where it can't be told (fewer than six documents, or all answers equal), a document
 * counts as one answer.
 */
export function effectiveShare(answers: readonly Answer[]): EffectiveShare {
  const n = answers.length;
  const share = answers.filter(({ correct }) => correct).length / n;
  const documents = documentsOf(answers);
  if (documents === n) return { share, trials: n, degrees: LARGE };
  const degrees = Math.max(1, documents - 1);
  const spread = spreadOf(
    meanOverStrata([answers], ({ correct }) => (correct ? 1 : 0)),
    FEWEST_FOR_SCORES,
  );
  if (spread === null) return { share, trials: documents, degrees };
  return { share, trials: Math.min(n, (share * (1 - share)) / spread.variance), degrees };
}

function documentsOf(answers: readonly Clustered[]): number {
  return new Set(answers.map(({ cluster }) => cluster)).size;
}

/** Adds Jeffreys' half an answer on each side, so that a stratum with only right answers still has a variance. */
function smoothedShare(share: number, trials: number): number {
  return (share * trials + 0.5) / (trials + 1);
}

/** The unbiased variance of one answer. */
function smoothedVariance(share: number, trials: number): number {
  const smoothed = smoothedShare(share, trials);
  return (smoothed * (1 - smoothed) * trials) / Math.max(1, trials - 1);
}
