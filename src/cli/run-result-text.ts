import { printableLine } from '../core/printable.ts';
import type { RunResult } from '../run/run-suite.ts';
import { numbered } from '../summary/phrases.ts';

/** The end of a run for a terminal: the report's headline, how many cells ended how, what failed with what to do about it, what was skipped. */
export function runResultText(result: RunResult, report: string): string {
  const lines = [
    report,
    `${numbered(result.completed, 'cell')} completed, ${result.failed.length} failed, ${result.skipped.length} skipped`,
    ...result.failed.flatMap(({ cellId, message, hint }) => [
      `  failed  ${cellId}: ${printableLine(message)}`,
      ...(hint === null ? [] : [`          hint: ${printableLine(hint)}`]),
    ]),
    ...result.skipped.map(({ cellId, reason }) => `  skipped ${cellId}: ${printableLine(reason)}`),
    ...result.short.map((sentence) => `  short   ${printableLine(sentence)}`),
    `report: ${result.folder}/report.html`,
  ];
  return lines.filter((line) => line !== '').join('\n');
}
