import type { Environment } from '../records/environment.ts';
import type { Selection } from '../summary/selection.ts';
import type { Check, Summary } from '../summary/summary.ts';
import { answers } from './answer.ts';
import { type Chart, methodStyles } from './chart.ts';
import { checksTally, mostWereMade } from './checks-text.ts';
import { DATA_COLUMNS, dataRows } from './data-table.ts';
import { comparisonFacts, environmentFacts, familiesText, stretchTable } from './facts.ts';
import { type Headline, hasIntervals, headline, lacksIntervals } from './headline.ts';
import { memoryTable, roundsSection, speedTable } from './markdown-efficiency.ts';
import { changesTable, retrievalTables, scoresTable } from './markdown-quality.ts';
import { fenced, table, text } from './markdown-text.ts';
import { roundsTable } from './rounds.ts';
import { runFiles } from './run-files.ts';
import { sampleBrowser } from './samples.ts';

export interface ReportParts {
  readonly summary: Summary;
  readonly selection: Selection;
  readonly environment: Environment | null;
  readonly charts: readonly Chart[];
  /** Name of the file with the records, beside the report. */
  readonly recordsFile: string;
  /** Names of the CSV files. */
  readonly tables: readonly string[];
}

/** The text of report.md. It says the same as the page: answers first, then tables with intervals and n. The charts are image files beside it. */
export function markdownReport(parts: ReportParts): string {
  const blocks = [...opening(parts), ...measured(parts), ...provenance(parts)].filter((block) => block !== '');
  const titles = blocks.flatMap((block) => Array.from(block.matchAll(/^## (.*)$/gm), ([, title]) => title ?? ''));
  const at = blocks.findIndex((block) => block.startsWith('## '));
  return `${[...blocks.slice(0, at), contents(titles), ...blocks.slice(at)].join('\n\n')}\n`;
}

/** Links to the headings, with the anchors that GitHub makes for them. */
function contents(titles: readonly string[]): string {
  const anchor = (title: string): string =>
    title
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-');
  return titles.map((title) => `[${title}](#${anchor(title)})`).join(' | ');
}

function opening({ summary, selection }: ReportParts): string[] {
  return [
    `# ${text(summary.title)}`,
    summary.description === null ? '' : text(summary.description),
    threats(summary.checks),
    inShort(summary),
    headlineTable(headline(summary)),
    comparisonFacts(summary, selection)
      .map(([name, value]) => `- **${name}:** ${text(value)}`)
      .join('\n'),
    `## Findings\n\n${summary.verdicts.length === 0 ? 'Nothing was compared.' : summary.verdicts.map((verdict) => `- ${text(verdict)}`).join('\n')}`,
  ];
}

function measured({ summary, selection, charts }: ReportParts): string[] {
  return [
    retrievalTables(summary),
    section('Retrieval', charts, 'retrieval'),
    scoresTable(summary),
    section('Long-context tasks', charts, 'scores'),
    changesTable(sampleBrowser(summary, selection, 0)),
    speedTable(summary),
    section('Speed', charts, 'speed'),
    roundsSection(roundsTable(selection, methodStyles(summary))),
    section('All rounds', charts, 'rounds'),
    memoryTable(summary),
    section('Memory', charts, 'memory'),
    section('Spans', charts, 'spans'),
    section('Elastic rules', charts, 'elastic'),
    section('Pareto fronts', charts, 'fronts'),
  ];
}

function provenance({ summary, selection, environment, tables, recordsFile }: ReportParts): string[] {
  const stretches = stretchTable(selection);
  const files = runFiles({ recordsFile, selection, tables, hasEnvironment: environment !== null });
  const checks = table(
    ['Check', 'Status', 'What was seen'],
    summary.checks.map((check) => [check.id, check.status, check.message]),
  );
  return [
    `## Checks\n\n${checks}`,
    text(familiesText(summary) ?? ''),
    cellsSection(summary),
    stretches.rows.length === 0 ? '' : `## When it was measured\n\n${table(stretches.head, stretches.rows)}`,
    summary.data.length === 0 ? '' : `## Data\n\n${table([...DATA_COLUMNS], dataRows(summary.data))}`,
    environment === null ? '' : `## Environment\n\n${table(['', ''], environmentFacts(environment, summary))}`,
    `## Files\n\n${files.map(({ path, holds }) => `- [${path}](${path}): ${holds}`).join('\n')}`,
    summary.command === null ? '' : `## Run it again\n\n${fenced(summary.command, 'sh')}`,
  ];
}

/** A list of the failed checks, which stands before the conclusions that they threaten. One line when no check failed or only notes did. */
function threats(checks: readonly Check[]): string {
  const failed = checks.filter((check) => check.status === 'failed');
  if (failed.length === 0) return noneFailed(checks);
  if (failed.every(({ severity }) => severity === 'note'))
    return text(`${failed.map(({ message }) => message).join(' ')} ${checksTally(checks)}.`);
  return `## Read this first\n\n${failed.map((check) => `- **${check.severity}:** ${text(check.message)}`).join('\n')}`;
}

function inShort(summary: Summary): string {
  const all = answers(summary);
  if (all.length === 0) return '';
  return `## In short\n\n${all.map(({ claim, evidence }) => `**${text(claim)}**\n\n${evidence.map((sentence) => `- ${text(sentence)}`).join('\n')}`).join('\n\n')}`;
}

/** The headline table with the meaning of its columns; empty when nothing was measured. */
function headlineTable({ columns, rows }: Headline): string {
  if (columns.length === 0) return '';
  const head = ['Method', ...columns.map((column) => column.name)];
  const titles = columns.filter((column) => column.title !== '').map((column) => `${column.name}: ${column.title}`);
  const words = [
    ...(hasIntervals({ columns, rows }) ? ['Intervals are 95%.'] : []),
    ...(lacksIntervals({ columns, rows }) ? ['Without interval: too few samples a task, or too alike.'] : []),
    ...(titles.length === 0 ? [] : [`${titles.join('; ')}.`]),
  ];
  return [
    table(
      head,
      rows.map((row) => [row.label, ...row.cells]),
    ),
    words.join(' '),
  ].join('\n\n');
}

function noneFailed(checks: readonly Check[]): string {
  return `${mostWereMade(checks) ? 'No check failed' : 'Too little was run to look for threats'}: ${checksTally(checks)}.`;
}

function cellsSection({ cells }: Summary): string {
  const lines = [
    ...cells.failed.map((cell) => `- failed: ${text(cell.cellId)}: ${text(cell.message)}`),
    ...cells.skipped.map((cell) => `- skipped: ${text(cell.cellId)}: ${text(cell.reason)}`),
  ];
  return lines.length === 0 ? '' : `## Cells that did not complete\n\n${lines.join('\n')}`;
}

function section(name: string, charts: readonly Chart[], part: Chart['section']): string {
  const own = charts.filter((chart) => chart.section === part || (part === 'retrieval' && chart.section === 'overview'));
  if (own.length === 0) return '';
  const figures = own.map(
    (chart) =>
      `![${text(chart.alt)}](charts/${chart.id}.svg)${chart.caption === '' ? '' : `\n\n*${text(chart.title)}. ${text(chart.caption)}*`}`,
  );
  return `## ${name}: charts\n\n${figures.join('\n\n')}`;
}
