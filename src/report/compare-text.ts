import { printableLine } from '../core/printable.ts';
import type { Comparison } from '../summary/compare/comparison.ts';
import { numbered } from '../summary/phrases.ts';
import { type ComparisonTable, comparisonTables, regressionsOf, sideLines, tallyOf, VERDICT_WORDS } from './compare-tables.ts';

/** A table with at most so many rows is shown whole in a terminal. A longer table shows at most so many rows, and no quiet ones. */
const MOST_ROWS = 24;
/** At most so many regressions are listed below the verdict. The tables have all of them. */
const MOST_REGRESSIONS = 8;

/** The comparison as text for a terminal: the verdict first, then the tables that it rests on. */
export function comparisonText(comparison: Comparison): string {
  const tables = comparisonTables(comparison);
  const regressions = regressionsOf(tables);
  const more = regressions.length > MOST_REGRESSIONS ? [`  and ${regressions.length - MOST_REGRESSIONS} more`] : [];
  const blocks = [
    [comparison.sentence, ...regressions.slice(0, MOST_REGRESSIONS).map((finding) => `  ${printableLine(finding)}`), ...more].join('\n'),
    sideLines(comparison)
      .map(([name, line]) => `${name}  ${printableLine(line)}`)
      .join('\n'),
    comparison.notes.map((note) => `- ${printableLine(note)}`).join('\n'),
    ...tables.map(tableText),
  ];
  return blocks.filter((block) => block !== '').join('\n\n');
}

function tableText(table: ComparisonTable): string {
  const { title, caption, head, quiet, rows } = table;
  const shown = rows.length <= MOST_ROWS ? rows : rows.filter(({ verdict }) => !quiet.includes(verdict)).slice(0, MOST_ROWS);
  const heading = `${title}: ${tallyOf(table)}`;
  if (shown.length === 0) return heading;
  const hidden = rows.length - shown.length;
  const lines = columns([['', ...head], ...shown.map(({ verdict, cells }) => [VERDICT_WORDS[verdict], ...cells])]);
  const more = hidden === 0 ? [] : [`  ${numbered(hidden, 'row')} more, in --markdown, --html and --json`];
  return [heading, caption, ...lines, ...more].join('\n');
}

function columns(table: readonly (readonly string[])[]): string[] {
  const plain = table.map((line) => line.map(printableLine));
  const widths = (plain[0] ?? []).map((_, i) => Math.max(...plain.map((line) => line[i]?.length ?? 0)));
  return plain.map((line) => `  ${line.map((text, i) => text.padEnd(widths[i] ?? 0)).join('  ')}`.trimEnd());
}
