import { type Interval, wilsonInterval } from '../core/statistics-proportion.ts';

/** One scored retrieval sample. */
export interface RetrievalOutcome {
  readonly targetTokens: number;
  /** 0..1, absent where a task has no single place of evidence. */
  readonly depth?: number | undefined;
  readonly correct: boolean;
}

interface LengthAccuracy {
  readonly tokens: number;
  /** Accuracy with its Wilson interval. */
  readonly accuracy: Interval;
}

interface CellAccuracy extends LengthAccuracy {
  /** 0: the first tenth of the context, 9: the last. */
  readonly decile: number;
}

export interface RetrievalTable {
  /** Ascending by length. */
  readonly lengths: readonly LengthAccuracy[];
  /** Cells that have samples, ascending by length, then by decile. */
  readonly cells: readonly CellAccuracy[];
}

/** Retrieval accuracy by length and by length x depth decile (LongEval's deciles, floor(10 depth)), each with a 95% Wilson interval. */
export function retrievalTable(outcomes: readonly RetrievalOutcome[]): RetrievalTable {
  const lengths = [...new Set(outcomes.map((outcome) => outcome.targetTokens))].sort((a, b) => a - b);
  const rows = lengths.map((tokens) => ({ tokens, members: outcomes.filter((outcome) => outcome.targetTokens === tokens) }));
  return {
    lengths: rows.map(({ tokens, members }) => ({ tokens, accuracy: accuracyOf(members) })),
    cells: rows.flatMap(({ tokens, members }) =>
      Array.from({ length: 10 }, (_, decile) => ({
        decile,
        cell: members.filter(({ depth }) => depth !== undefined && depthDecile(depth) === decile),
      }))
        .filter(({ cell }) => cell.length > 0)
        .map(({ decile, cell }) => ({ tokens, decile, accuracy: accuracyOf(cell) })),
    ),
  };
}

/** The tenth of the context that a depth in [0, 1] falls in, 0..9. */
export function depthDecile(depth: number): number {
  return Math.min(9, Math.floor(10 * depth));
}

function accuracyOf(members: readonly RetrievalOutcome[]): Interval {
  return wilsonInterval(members.filter((outcome) => outcome.correct).length, members.length);
}
