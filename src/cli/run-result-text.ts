import { groupBy } from '../core/group-by.ts';
import { printableLine } from '../core/printable.ts';
import type { RunResult } from '../run/run-suite.ts';
import { numbered } from '../summary/phrases.ts';

/**
 * The end of a run for a terminal: the report's headline, the number of cells completed, failed and skipped, each failure with what to do about it, and
 * what was skipped.
 */
export function runResultText(result: RunResult, report: string): string {
  const lines = [
    report,
    `${numbered(result.completed, 'cell')} completed, ${result.failed.length} failed, ${result.skipped.length} skipped`,
    ...failures(result.failed),
    ...result.skipped.map(({ cellId, reason }) => `  skipped ${cellId}: ${printableLine(reason)}`),
    ...result.short.map((sentence) => `  short   ${printableLine(sentence)}`),
    `report: ${result.folder}/report.html`,
  ];
  return lines.filter((line) => line !== '').join('\n');
}

/** Each error message once, with its hint. Other cells that failed with the same message follow, one line each. */
function failures(failed: RunResult['failed']): string[] {
  return [...groupBy(failed, ({ message }) => message).values()].flatMap((same) => {
    const [first, ...others] = same as [RunResult['failed'][number]];
    return [
      `  failed  ${first.cellId}: ${printableLine(first.message)}`,
      ...(first.hint === null ? [] : [`          hint: ${printableLine(first.hint)}`]),
      ...others.map(({ cellId }) => `  failed  ${cellId}: as ${first.cellId}`),
    ];
  });
}
