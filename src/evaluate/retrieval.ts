import { groupBy } from '../core/group-by.ts';
import { type Interval, wilsonInterval } from '../core/statistics-proportion.ts';
import { meanOfMeans, stratifiedInterval } from './stratified.ts';

/** One scored retrieval question; it has a context of its own. */
export interface RetrievalSample {
  /** Target length in tokens. */
  readonly length: number;
  /** Where the evidence sits, 0..1; null where it has no one place. */
  readonly depth: number | null;
  readonly cluster: string;
  readonly correct: boolean;
}

/** Accuracy with its Wilson interval. */
export interface Accuracy {
  readonly length: number;
  readonly correct: number;
  readonly accuracy: Interval;
}

export interface DepthAccuracy extends Accuracy {
  /** The cell holds depths in [depthLow, depthHigh), the last one 1 as well. */
  readonly depthLow: number;
  readonly depthHigh: number;
}

/** From this many samples a length the context is cut into tenths (LongEval), five samples each; below into fifths. */
const SAMPLES_FOR_TENTHS = 50;

/** Accuracy at every length, ascending. */
export function accuracyByLength(samples: readonly RetrievalSample[]): Accuracy[] {
  return byLength(samples).map(([length, members]) => ({ length, ...accuracyOf(members) }));
}

/** Accuracy by length and depth; only cells that have samples, ascending by length, then by depth. */
export function accuracyByDepth(samples: readonly RetrievalSample[]): DepthAccuracy[] {
  return byLength(samples).flatMap(([length, members]) => {
    const placed = members.flatMap((sample) => (sample.depth === null ? [] : [{ ...sample, depth: sample.depth }]));
    const bins = placed.length >= SAMPLES_FOR_TENTHS ? 10 : 5;
    const cells = groupBy(placed, ({ depth }) => Math.min(bins - 1, Math.floor(depth * bins)));
    return [...cells]
      .sort(([a], [b]) => a - b)
      .map(([bin, cell]) => ({ length, depthLow: bin / bins, depthHigh: (bin + 1) / bins, ...accuracyOf(cell) }));
  });
}

/**
 * The unweighted mean of the accuracies over lengths. With equally many samples a length it is the pooled proportion, which has a Wilson
 * interval; otherwise a stratified bootstrap. `n` counts samples, of which there must be one.
 */
export function meanAccuracy(samples: readonly RetrievalSample[], seed: string): Interval {
  const strata = byLength(samples).map(([, members]) => members);
  if (strata.every((members) => members.length === strata[0]?.length)) return accuracyOf(samples).accuracy;
  const right = (sample: RetrievalSample): number => (sample.correct ? 1 : 0);
  return stratifiedInterval({ strata, columns: [right], statistic: (sums) => meanOfMeans(sums), seed });
}

function byLength(samples: readonly RetrievalSample[]): [number, RetrievalSample[]][] {
  return [...groupBy(samples, (sample) => sample.length)].sort(([a], [b]) => a - b);
}

function accuracyOf(members: readonly RetrievalSample[]): { readonly correct: number; readonly accuracy: Interval } {
  const correct = members.filter((sample) => sample.correct).length;
  return { correct, accuracy: wilsonInterval(correct, members.length) };
}
