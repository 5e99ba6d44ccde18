import { effectiveContext } from '../evaluate/effective-context.ts';
import { type Pair, pairedBinary, pairUp, type ScoredSample } from '../evaluate/paired.ts';
import { accuracyByDepth, accuracyByLength, meanAccuracy } from '../evaluate/retrieval.ts';
import { adjustFamily, toPaired } from './paired.ts';
import type { RecordOf } from './record.ts';
import type { MethodSummary, Paired } from './summary.ts';

type Sample = RecordOf<'sample'>;

export interface RetrievalInput {
  readonly own: readonly Sample[];
  /** The baseline's id and samples; null for the baseline itself. */
  readonly baseline: { readonly id: string; readonly samples: readonly Sample[] } | null;
  readonly threshold: number;
  readonly seed: string;
}

/** Accuracy by length and depth, paired differences to the baseline, effective context. null without samples. */
export function summarizeRetrieval({ own, baseline, threshold, seed }: RetrievalInput): MethodSummary['retrieval'] {
  const [first] = own;
  if (first === undefined) return null;
  const samples = own.map((sample) => ({ ...sample, correct: isCorrect(sample) }));
  const lengths = accuracyByLength(samples);
  const at = (length: number): Sample[] => own.filter((sample) => sample.length === length);
  const toBaseline = adjustFamily(
    lengths.map(({ length }) => (baseline === null ? null : pairedRetrieval(baseline.id, at(length), baseline.samples))),
  );
  return {
    task: first.task,
    lengths: lengths.map((accuracy, i) => ({ ...accuracy, toBaseline: toBaseline[i] ?? null })),
    depths: accuracyByDepth(samples),
    mean: meanAccuracy(samples, seed),
    meanToBaseline: baseline === null ? null : pairedRetrieval(baseline.id, own, baseline.samples),
    effectiveContext: effectiveContext(
      lengths.map(({ length, correct, accuracy }) => ({ length, correct, n: accuracy.n })),
      { threshold, seed },
    ),
  };
}

/** Own minus other's retrieval over all samples that both answered: the pooled exact test. */
export function pairedRetrieval(other: string, own: readonly Sample[], others: readonly Sample[]): Paired | null {
  const pairs: Pair[] = pairUp(own.map(binary), others.map(binary));
  return toPaired(other, pairedBinary(pairs));
}

export function isCorrect(sample: Sample): boolean {
  return sample.correct ?? sample.score >= 1;
}

function binary(sample: Sample): ScoredSample {
  return { sampleId: sample.sampleId, cluster: sample.cluster, score: isCorrect(sample) ? 1 : 0 };
}
