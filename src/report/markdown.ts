import type { Environment } from '../records/environment.ts';
import {
  bytesText,
  countText,
  numbered,
  percent,
  percentWithInterval,
  pointsWithInterval,
  pText,
  valueWithInterval,
} from '../summary/phrases.ts';
import type { Selection } from '../summary/selection.ts';
import type { Measure, Speed, Timed } from '../summary/speed/estimates.ts';
import { timedText } from '../summary/speed/verdicts.ts';
import type { Check, MethodSummary, Summary } from '../summary/summary.ts';
import { type Chart, methodStyles } from './chart.ts';
import { checksTally, mostWereMade } from './checks-text.ts';
import { DATA_COLUMNS, dataRows } from './data-table.ts';
import { comparisonFacts, environmentFacts, stretchTable } from './facts.ts';
import { type Headline, hasIntervals, headline, lacksIntervals } from './headline.ts';
import { fenced, inline, text } from './markdown-text.ts';

export interface ReportParts {
  readonly summary: Summary;
  readonly selection: Selection;
  readonly environment: Environment | null;
  readonly charts: readonly Chart[];
}

/** report.md: tables with intervals and n, and the charts as images beside it. */
export function markdownReport(parts: ReportParts): string {
  const { summary, selection, environment, charts } = parts;
  const failed = summary.checks.filter((check) => check.status === 'failed');
  const stretches = stretchTable(selection);
  const blocks = [
    `# ${text(summary.title)}`,
    summary.description === null ? '' : text(summary.description),
    comparisonFacts(summary, selection)
      .map(([name, value]) => `- **${name}:** ${text(value)}`)
      .join('\n'),
    '## Findings',
    summary.verdicts.length === 0 ? 'Nothing was compared.' : summary.verdicts.map((verdict) => `- ${text(verdict)}`).join('\n'),
    headlineTable(headline(summary)),
    '## Threats to these conclusions',
    failed.length === 0 ? noneFailed(summary.checks) : failed.map((check) => `- **${check.severity}:** ${text(check.message)}`).join('\n'),
    retrievalTables(summary),
    section('Retrieval', charts, 'retrieval'),
    scoresTable(summary),
    section('Long-context tasks', charts, 'scores'),
    speedTable(summary),
    section('Speed', charts, 'speed'),
    memoryTable(summary),
    section('Memory', charts, 'memory'),
    section('Spans', charts, 'spans'),
    section('Elastic rules', charts, 'elastic'),
    section('Pareto fronts', charts, 'fronts'),
    '## Checks',
    table(
      ['Check', 'Status', 'What was seen'],
      summary.checks.map((check) => [check.id, check.status, check.message]),
    ),
    cellsSection(summary),
    stretches.rows.length === 0 ? '' : `## When it was measured\n\n${table(stretches.head, stretches.rows)}`,
    summary.data.length === 0 ? '' : `## Data\n\n${table([...DATA_COLUMNS], dataRows(summary.data))}`,
    environment === null ? '' : `## Environment\n\n${table(['', ''], environmentFacts(environment, summary))}`,
    summary.command === null ? '' : `Run it again:\n\n${fenced(summary.command, 'sh')}`,
  ];
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}

/** The table and what its columns are; nothing where nothing was measured. */
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

function retrievalTables(summary: Summary): string {
  const styles = methodStyles(summary);
  const measured = summary.methods.filter((method) => method.retrieval !== null);
  const lengths = [...new Set(measured.flatMap((method) => method.retrieval?.lengths.map((at) => at.length) ?? []))].sort((a, b) => a - b);
  if (measured.length === 0) return '';
  const rows = measured.map((method) => [
    styles.find((style) => style.id === method.id)?.label ?? method.id,
    ...lengths.map((length) => {
      const at = method.retrieval?.lengths.find((candidate) => candidate.length === length);
      if (at === undefined) return '\u2013';
      return `${percentWithInterval(at.accuracy)} (${at.correct}/${at.accuracy.n}${at.whole ? '' : ', not complete'})`;
    }),
  ]);
  const contrasts = summary.contrasts.map(({ method, paired, leastBytesRatio }) => [
    method,
    paired.other,
    pointsWithInterval(paired.delta),
    percent(leastBytesRatio, 1),
    `${paired.gained} / ${paired.lost}`,
    String(paired.delta.n),
    paired.pHolm === null ? 'not tested' : pText(paired.pHolm),
  ]);
  const equal =
    contrasts.length === 0
      ? ''
      : `\n\nWith no more KV memory, all common lengths together (mid-p McNemar, Holm-adjusted over the ${numbered(contrasts.length, 'comparison')}):\n\n${table(['Method', 'against', 'Points', 'KV bytes, least', 'gained / lost', 'n', 'p'], contrasts)}`;
  return `## Retrieval by length\n\n${table(['Method', ...lengths.map((length) => `${countText(length)} tokens`)], rows)}${equal}`;
}

function scoresTable(summary: Summary): string {
  const scored = summary.methods.flatMap((method) => (method.scores === null ? [] : [{ label: method.label, scores: method.scores }]));
  if (scored.length === 0) return '';
  const names = [...new Set(scored.flatMap(({ scores }) => scores.tasks.map((task) => task.name)))];
  const rows = names.map((name) => {
    const cells = scored.map(({ scores }) => scores.tasks.find((task) => task.name === name));
    const most = Math.max(...cells.map((task) => task?.score.n ?? 0));
    return [
      name,
      String(most),
      ...cells.map((task) =>
        task === undefined
          ? '\u2013'
          : `${valueWithInterval(task.score, 3)}${task.whole ? '' : ` (${task.score.n} of ${most}, not complete)`}`,
      ),
    ];
  });
  const { used, leftOut } = summary.common.tasks;
  const mean = scored.map(({ scores }) => (scores.mean === null ? '\u2013' : valueWithInterval(scores.mean.score, 3)));
  const name = leftOut.length === 0 ? 'mean' : `mean of ${used.join(', ')}`;
  rows.push([name, String(Math.max(...scored.map(({ scores }) => scores.mean?.score.n ?? 0))), ...mean]);
  return `## Scores by task\n\n${table(['Task', 'n', ...scored.map(({ label }) => label)], rows)}`;
}

function speedTable(summary: Summary): string {
  const rowsOf = (measure: Measure): string[][] =>
    summary.methods.flatMap((method) => [
      ...method[measure].map((speed) => [
        measure,
        armText(method, speed),
        countText(speed.length),
        String(speed.batch),
        rateText(speed.tokensPerSecond),
        speed.latencyMs.estimate.toFixed(1),
        `${speed.lowerQuartileMs.toFixed(1)} / ${speed.medianMs.toFixed(1)}`,
        `${speed.latencyMs.rounds} in ${speed.latencyMs.processes}`,
        speed.speedup === null ? '\u2013' : timedText(speed.speedup),
      ]),
      ...method.unfit
        .filter((at) => at.measure === measure)
        .map((at) => [
          measure,
          armText(method, at),
          countText(at.length),
          String(at.batch),
          'does not fit',
          ...Array<string>(4).fill('\u2013'),
        ]),
    ]);
  const rows = [...rowsOf('decode'), ...rowsOf('prefill')];
  if (rows.length === 0) return '';
  const head = [
    '',
    'Method',
    'Context',
    'Batch',
    'Tokens/s',
    'ms',
    'lower quartile / median',
    'rounds in processes',
    `vs ${summary.baseline}`,
  ];
  return `## Speed by condition\n\n${table(head, rows)}\n\nTokens/s, ms and ratios are of the typical time: the pseudomedian of the rounds, geometric mean over processes.`;
}

function armText(method: MethodSummary, { cache }: Pick<Speed, 'cache'>): string {
  return method.label + (cache === 'dynamic' ? ' (growing cache)' : '');
}

function rateText({ estimate, low, high }: Timed): string {
  return `${countText(estimate)}${low === null || high === null ? '' : ` [${countText(low)}, ${countText(high)}]`}`;
}

function memoryTable(summary: Summary): string {
  const rows = summary.methods.flatMap((method) =>
    method.kvBytes.map((at) => [
      method.label,
      countText(at.length),
      bytesText(at.planned),
      bytesText(at.resident),
      at.ratioToBaseline === null ? '\u2013' : percent(at.ratioToBaseline, 1),
      String(at.n),
    ]),
  );
  return rows.length === 0
    ? ''
    : `## KV memory per sequence\n\n${table(['Method', 'Tokens', 'Planned', 'Resident', `of ${summary.baseline}`, 'n'], rows)}`;
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

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(inline).join(' | ')} |`;
  return [line(head), `|${head.map(() => ' --- |').join('')}`, ...rows.map(line)].join('\n');
}
