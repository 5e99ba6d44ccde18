import { bootstrapSums, clusterColumns } from '../core/statistics-bootstrap.ts';
import { wilsonInterval } from '../core/statistics-proportion.ts';
import { effectiveContextOf } from './effective-context.ts';
import { adjustFamily, meanOfMeans, type Pair, pairedBinary, pairUp, RESAMPLES, type Scored } from './paired.ts';
import type { RecordOf } from './record.ts';
import { groupBy } from './selection.ts';
import type { Estimate, MethodSummary, Paired } from './summary.ts';

type Sample = RecordOf<'sample'>;
type Retrieval = NonNullable<MethodSummary['retrieval']>;

export interface RetrievalInput {
  readonly own: readonly Sample[];
  /** The baseline's id and samples; null for the baseline itself. */
  readonly baseline: { readonly id: string; readonly samples: readonly Sample[] } | null;
  readonly threshold: number;
  readonly seed: string;
}

/** Accuracy by length and depth, paired differences to the baseline, effective context. null without samples. */
export function summarizeRetrieval({ own, baseline, threshold, seed }: RetrievalInput): Retrieval | null {
  const [first] = own;
  if (first === undefined) return null;
  const byLength = [...groupBy(own, (sample) => sample.length)].sort(([a], [b]) => a - b);
  const paired = adjustFamily(
    byLength.map(([, samples]) =>
      baseline === null ? null : pairedBinary(baseline.id, pairUp(samples.map(binary), baseline.samples.map(binary))),
    ),
  );
  const counts = byLength.map(([length, samples]) => ({ length, correct: samples.filter(isCorrect).length, n: samples.length }));
  return {
    task: first.task,
    lengths: counts.map(({ length, correct, n }, i) => ({
      length,
      correct,
      accuracy: wilsonInterval(correct, n),
      toBaseline: paired[i] ?? null,
    })),
    depths: byLength.flatMap(([length, samples]) => depthCells(length, samples)),
    mean: meanAccuracy(
      byLength.map(([, samples]) => samples),
      seed,
    ),
    meanToBaseline: baseline === null ? null : pooledRetrieval(baseline.id, own, baseline.samples),
    effectiveContext: effectiveContextOf(counts, threshold, seed),
  };
}

/** Own minus other's retrieval over all lengths together: the pooled exact test. */
export function pooledRetrieval(other: string, own: readonly Sample[], others: readonly Sample[]): Paired | null {
  const pairs: Pair[] = pairUp(own.map(binary), others.map(binary));
  return pairedBinary(other, pairs);
}

export function isCorrect(sample: Sample): boolean {
  return sample.correct ?? sample.score >= 1;
}

function binary(sample: Sample): Scored {
  return { sampleId: sample.sampleId, cluster: sample.cluster, score: isCorrect(sample) ? 1 : 0 };
}

/** With equally many samples a length the unweighted mean is the pooled proportion, which has a Wilson interval; otherwise stratified bootstrap. */
function meanAccuracy(strata: readonly (readonly Sample[])[], seed: string): Estimate {
  const all = strata.flat();
  if (strata.every((samples) => samples.length === strata[0]?.length)) return wilsonInterval(all.filter(isCorrect).length, all.length);
  const columns = strata.map((samples) =>
    clusterColumns(
      [samples.map((sample) => (isCorrect(sample) ? 1 : 0))],
      samples.map((sample) => sample.cluster),
    ),
  );
  return { ...bootstrapSums(columns, meanOfMeans, { seed, resamples: RESAMPLES }), n: all.length };
}

/** Tenths of the context when every tenth has a few samples, else fifths. */
function depthCells(length: number, samples: readonly Sample[]): Retrieval['depths'] {
  const placed = samples.filter((sample) => sample.depth !== null);
  const bins = placed.length >= 50 ? 10 : 5;
  const byBin = groupBy(placed, (sample) => Math.min(bins - 1, Math.floor((sample.depth ?? 0) * bins)));
  return [...byBin]
    .sort(([a], [b]) => a - b)
    .map(([bin, members]) => {
      const correct = members.filter(isCorrect).length;
      return { length, depthLow: bin / bins, depthHigh: (bin + 1) / bins, correct, accuracy: wilsonInterval(correct, members.length) };
    });
}
