import { groupBy } from '../core/group-by.ts';
import { effectiveShare } from '../evaluate/accuracy.ts';
import { effectiveContext } from '../evaluate/effective-context.ts';
import { type Pair, pairedBinary, pairUp, type ScoredSample } from '../evaluate/paired.ts';
import { accuracyByDepth, accuracyByLength, meanAccuracy } from '../evaluate/retrieval.ts';
import type { RecordOf } from '../records/record.ts';
import type { Comparable } from './comparable.ts';
import { toPaired } from './paired.ts';
import type { MethodSummary, Paired } from './summary.ts';

type Sample = RecordOf<'sample'>;

export interface RetrievalInput {
  readonly own: readonly Sample[];
  /** The baseline's id and samples; null for the baseline itself. */
  readonly baseline: { readonly id: string; readonly samples: readonly Sample[] } | null;
  readonly comparable: Comparable;
  readonly threshold: number;
  readonly seed: string;
}

/**
 * A method's accuracy by length and by depth. The mean, the difference from the baseline and the effective context are over the lengths that all methods have.
 * Nothing is concluded from a cell that is not whole. null when the method has no samples.
 */
export function summarizeRetrieval({ own, baseline, comparable, threshold, seed }: RetrievalInput): MethodSummary['retrieval'] {
  const [first] = own;
  if (first === undefined) return null;
  const { isWhole, isCommon } = comparable;
  const samples = own.map((sample) => ({ ...sample, correct: isCorrect(sample) }));
  const common = samples.filter((sample) => isCommon(sample) && isWhole(sample));
  const compared = (mine: readonly Sample[]): Paired | null =>
    baseline === null ? null : pairedRetrieval(baseline.id, mine.filter(isWhole), baseline.samples.filter(isWhole));
  return {
    task: first.task,
    lengths: accuracyByLength(samples).map((accuracy) => {
      const here = own.filter((sample) => sample.length === accuracy.length);
      return { ...accuracy, whole: here.every(isWhole), toBaseline: compared(here) };
    }),
    depths: accuracyByDepth(samples),
    mean: common.length === 0 ? null : meanAccuracy(common),
    meanToBaseline: compared(common),
    effectiveContext: common.length === 0 ? null : effectiveContext(sharesByLength(common), { threshold, seed }),
  };
}

/** Own accuracy minus the other's, on the samples that both answered. Every length has the same weight. `other`: the other method's id. */
export function pairedRetrieval(other: string, own: readonly Sample[], others: readonly Sample[]): Paired | null {
  const strata = [...groupBy(own, (sample) => sample.length).values()];
  const theirs = others.map(binary);
  return toPaired(other, pairedBinary(strata.map((samples): Pair[] => pairUp(samples.map(binary), theirs))));
}

function sharesByLength(samples: readonly (Sample & { readonly correct: boolean })[]) {
  return [...groupBy(samples, (sample) => sample.length)].map(([length, members]) => ({ length, ...effectiveShare(members) }));
}

export function isCorrect(sample: Sample): boolean {
  return sample.correct ?? sample.score >= 1;
}

function binary(sample: Sample): ScoredSample {
  return { sampleId: sample.sampleId, cluster: sample.cluster, score: isCorrect(sample) ? 1 : 0 };
}
