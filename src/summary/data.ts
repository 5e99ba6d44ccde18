import { expandCells } from '../suite/cells.ts';
import type { Suite } from '../suite/schema.ts';
import type { Selection } from './selection.ts';
import type { DataSummary } from './summary.ts';

/** Where the samples of the suite's conditions come from, and how many of them were used. Empty for records of older versions, which do not say. */
export function summarizeData(selection: Selection, suite: Suite): DataSummary[] {
  const conditions = new Set(expandCells(suite).map((cell) => ('task' in cell ? `${cell.kind}/${cell.task}/${cell.length}` : '')));
  const samples = [...selection.samples, ...selection.losses.map((loss) => ({ ...loss, part: 'perplexity' as const, truncatedTokens: 0 }))];
  const own = selection.data.filter(({ part, task, length }) => conditions.has(`${part}/${task}/${length}`));
  return own.map(({ kind: _kind, time: _time, ...facts }) => {
    const answered = samples.filter(({ part, task, length }) => part === facts.part && task === facts.task && length === facts.length);
    const ids = new Set(answered.map(({ sampleId }) => sampleId));
    const cut = new Set(answered.filter(({ truncatedTokens }) => truncatedTokens > 0).map(({ sampleId }) => sampleId));
    return { ...facts, used: ids.size, truncated: cut.size };
  });
}
