import type { Summary } from '../summary/summary.ts';
import { answers } from './answer.ts';
import { headline } from './headline.ts';

/** Plain text for a terminal: the headline table, the short answers, the verdicts, and the failed checks that are more than notes. */
export function headlineText(summary: Summary): string {
  const { columns, rows } = headline(summary);
  const table = [['', ...columns.map((c) => c.name)], ...rows.map((row) => [row.label, ...row.cells])];
  const widths = (table[0] ?? []).map((_, i) => Math.max(...table.map((line) => line[i]?.length ?? 0)));
  const lines = table.map((line) =>
    line
      .map((text, i) => text.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const failed = summary.checks.filter((check) => check.status === 'failed' && check.severity !== 'note');
  const claims = answers(summary).map(({ claim }) => claim);
  return [
    ...(columns.length === 0 ? [] : [...lines, '']),
    ...claims,
    ...summary.verdicts,
    ...failed.map((check) => `! ${check.message}`),
  ].join('\n');
}
