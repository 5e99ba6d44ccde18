import type { CellState } from '../run/cell-states.ts';
import type { DryRun } from '../run/dry-run.ts';
import { bytesText, numbered } from '../summary/phrases.ts';
import { duration } from './duration.ts';

/** What a run would do, for a terminal: one line for each cell with the reasons, then the totals and how they were estimated. */
export function dryRunText({ cells, estimate }: DryRun): string {
  const counts = (['done', 'partial', 'stale', 'to do'] as const).flatMap((status) => {
    const count = cells.filter((cell) => cell.status === status).length;
    return count === 0 ? [] : [`${count} ${status}`];
  });
  const { seconds, peakBytes, diskBytes, basis } = estimate;
  const isOpen = cells.some(({ status }) => status !== 'done');
  return [
    ...cells.map(line),
    `${numbered(cells.length, 'cell')}: ${counts.join(', ')}`,
    ...(isOpen
      ? [`About ${duration(seconds)}, ${bytesText(peakBytes)} of memory at most, ${bytesText(diskBytes)} on disk.`, ...basis]
      : []),
  ].join('\n');
}

function line({ status, id, samplesDone, reasons }: CellState): string {
  const samples = samplesDone > 0 && status === 'partial' ? ` (after ${numbered(samplesDone, 'sample')})` : '';
  return `${status.padEnd(8)} ${id}${samples}${reasons.length === 0 ? '' : `: ${reasons.join('; ')}`}`;
}
