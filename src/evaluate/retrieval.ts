import { groupBy } from '../core/group-by.ts';
import type { Interval } from '../core/statistics/proportion.ts';
import { type Answer, meanShare } from './accuracy.ts';

/** One scored retrieval question. */
export interface RetrievalSample extends Answer {
  /** Target length in tokens. */
  readonly length: number;
  /** Where the evidence sits, 0..1; null where it has no one place. */
  readonly depth: number | null;
}

/** Accuracy with Wilson's interval, for as many trials as the documents are worth. */
export interface Accuracy {
  readonly length: number;
  readonly correct: number;
  readonly accuracy: Interval;
}

export interface DepthAccuracy extends Accuracy {
  /** The cell holds depths in [depthLow, depthHigh); the last cell also holds 1. */
  readonly depthLow: number;
  readonly depthHigh: number;
}

/** From this many samples per length on, the context is cut into tenths (LongEval) with five samples each; below, it is cut into fifths. */
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

/** The unweighted mean of the accuracies over lengths. `n` counts samples; there must be at least one. */
export function meanAccuracy(samples: readonly RetrievalSample[]): Interval {
  return meanShare(byLength(samples).map(([, members]) => members));
}

function byLength(samples: readonly RetrievalSample[]): [number, RetrievalSample[]][] {
  return [...groupBy(samples, (sample) => sample.length)].sort(([a], [b]) => a - b);
}

function accuracyOf(members: readonly RetrievalSample[]): { readonly correct: number; readonly accuracy: Interval } {
  return { correct: members.filter((sample) => sample.correct).length, accuracy: meanShare([members]) };
}
