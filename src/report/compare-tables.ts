import type { Comparison, EndingRow, Flip, MemoryRow, QualityRow, TimingRow } from '../summary/compare/comparison.ts';
import type { Verdict } from '../summary/compare/rules.ts';
import { bytesText, countText, familyP, percent, pointsWithInterval, pText, signedWithInterval } from '../summary/phrases.ts';

/** One of a comparison's tables. Every row begins with its verdict. */
export interface ComparisonTable {
  readonly title: string;
  /** How the table is read. */
  readonly caption: string;
  readonly head: readonly string[];
  /** A short view leaves out the rows with these verdicts. */
  readonly quiet: readonly Verdict[];
  /** Rows that are worse come first, then undecided, better, same, and not judged. Rows with the same verdict are in the order of HEAD. */
  readonly rows: readonly ComparisonLine[];
}

interface ComparisonLine {
  readonly verdict: Verdict;
  readonly cells: readonly string[];
  /** What the row says, as text that can be read without the table. */
  readonly finding: string;
}

/** The words that are printed for the verdicts. */
export const VERDICT_WORDS: Readonly<Record<Verdict, string>> = {
  better: 'better',
  same: 'same',
  worse: 'WORSE',
  undecided: 'undecided',
  'not-comparable': 'not judged',
};

const ORDER: readonly Verdict[] = ['worse', 'undecided', 'better', 'same', 'not-comparable'];
const QUIET: readonly Verdict[] = ['same', 'not-comparable'];
const PARTS = { retrieval: 'retrieval', longbench: 'long-context tasks', perplexity: 'loss of the answers' } as const;

/** The tables that the terminal, Markdown and the page show, the most important first. Empty tables are left out. */
export function comparisonTables(comparison: Comparison): ComparisonTable[] {
  const labels = new Map(comparison.methods.map(({ head, label }) => [head, label]));
  const label = (id: string): string => labels.get(id) ?? id;
  const { margin, slower } = comparison.rules;
  const scores = ['What', 'Method', 'BASE', 'HEAD', 'Change', 'Lost / gained', 'Samples', 'Why'];
  const tables: ComparisonTable[] = [
    {
      title: 'Cells that ended otherwise',
      caption: 'BASE completed them, and HEAD did not.',
      quiet: [],
      head: ['Cell', 'Method', 'In HEAD', 'Why'],
      rows: comparison.endings.map((row) => endingCells(row, label)),
    },
    {
      title: 'Quality of each method',
      caption: `Over all tasks and lengths that both have, on the same samples. Worse: a loss is established, and the interval does not keep it within ${percent(margin, 1)}.`,
      quiet: QUIET,
      head: scores,
      rows: comparison.quality.map((row) => qualityCells(row, label)),
    },
    {
      title: 'Single tasks and lengths',
      caption: `They decide only when one collapses: an established loss of at least ${percent(2 * margin, 1)}.`,
      quiet: [...QUIET, 'undecided'],
      head: scores,
      rows: comparison.tasks.map((row) => qualityCells(row, label)),
    },
    {
      title: 'Speed',
      caption: `Time of one pass; more is slower. Worse: slower is established, and by at least ${percent(slower, 1)}.`,
      quiet: QUIET,
      head: ['What', 'Method', 'BASE', 'HEAD', 'Time', 'Processes', 'Why'],
      rows: comparison.timings.map((row) => timingCells(row, label)),
    },
    {
      title: 'Memory',
      caption: 'KV bytes are those that the allocator gave; a peak is weights, caches and workspace.',
      quiet: QUIET,
      head: ['What', 'Method', 'BASE', 'HEAD', 'Change', 'Why'],
      rows: comparison.memory.map((row) => memoryCells(row, label)),
    },
  ];
  return tables.flatMap((table) =>
    table.rows.length === 0 ? [] : [{ ...table, rows: table.rows.toSorted((a, b) => ORDER.indexOf(a.verdict) - ORDER.indexOf(b.verdict)) }],
  );
}

/** What got worse: one finding for each row, the most important table first. */
export function regressionsOf(tables: readonly ComparisonTable[]): string[] {
  return tables.flatMap(({ rows }) => rows.flatMap(({ verdict, finding }) => (verdict === 'worse' ? [finding] : [])));
}

type Label = (id: string) => string;

function endingCells({ cellId, method, head, verdict, reason }: EndingRow, label: Label): ComparisonLine {
  return { verdict, cells: [cellId, label(method), head, reason], finding: `${cellId} ${head} in HEAD alone: ${reason}` };
}

function qualityCells(row: QualityRow, label: Label): ComparisonLine {
  const { part, task, length, paired, base, head, samples, verdict, reason } = row;
  const value = (mean: number | null): string => (mean === null ? '\u2013' : part === 'perplexity' ? mean.toFixed(3) : percent(mean, 1));
  const change =
    paired === null
      ? '\u2013'
      : part === 'perplexity'
        ? signedWithInterval(paired.delta, 3, ' nats a token')
        : pointsWithInterval(paired.delta, ' points');
  const tested = paired === null || paired.pHolm === null || !isEstablished(verdict) ? '' : familyP(paired);
  const what = task === null ? PARTS[part] : `${part === 'perplexity' ? 'loss of ' : ''}${task} at ${countText(length ?? 0)} tokens`;
  const flips = paired === null ? '\u2013' : `${paired.lost} / ${paired.gained}`;
  const cells = [what, label(row.method), value(base), value(head), change, flips, countText(samples), joined(reason, tested)];
  const evidence = `${value(base)} in BASE, ${value(head)} in HEAD; ${paired?.lost ?? 0} lost and ${paired?.gained ?? 0} gained of ${countText(samples)} samples`;
  return { verdict, cells, finding: `${label(row.method)}, ${what}: ${change} (${evidence})` };
}

function timingCells(row: TimingRow, label: Label): ComparisonLine {
  const { measure, length, batch, cache, base, head, ratio, pHolm, comparisons, verdict, reason } = row;
  const what = `${measure} at ${countText(length)} tokens${batch > 1 ? `, batch ${batch}` : ''}${cache === 'dynamic' ? ', growing cache' : ''}`;
  const share = (value: number): string => {
    const text = Math.abs(100 * (value - 1)).toFixed(1);
    return `${text === '0.0' ? '' : value < 1 ? '\u2212' : '+'}${text}`;
  };
  const interval = ratio.low === null || ratio.high === null ? '(no interval)' : `[${share(ratio.low)}, ${share(ratio.high)}]`;
  const tested =
    pHolm === null || !isEstablished(verdict)
      ? ''
      : comparisons === 1
        ? pText(pHolm)
        : `Holm-adjusted ${pText(pHolm)} over ${comparisons} comparisons`;
  const cells = [
    what,
    label(row.method),
    `${milliseconds(base.ms)} ms`,
    `${milliseconds(head.ms)} ms`,
    `${share(ratio.estimate)}% ${interval}`,
    `${base.processes} and ${head.processes}`,
    joined(reason, tested),
  ];
  return { verdict, cells, finding: `${label(row.method)}, ${what}: time ${cells[4]} (${cells[2]} in BASE, ${cells[3]} in HEAD)` };
}

/** Whether the verdict claims a difference. The p-value is then printed as evidence. */
function isEstablished(verdict: Verdict): boolean {
  return verdict === 'better' || verdict === 'worse';
}

/** A time in ms with at least three digits. */
function milliseconds(ms: number): string {
  return ms >= 100 ? countText(ms) : ms.toPrecision(3);
}

function memoryCells(row: MemoryRow, label: Label): ComparisonLine {
  const { what, measure, length, batch, cache, base, head, verdict, reason } = row;
  const at = `at ${countText(length)} tokens${batch !== null && batch > 1 ? `, batch ${batch}` : ''}${cache === 'dynamic' ? ', growing cache' : ''}`;
  const name = {
    kv: measure === null ? 'KV bytes a sequence' : `KV bytes of ${measure}`,
    peak: `peak of ${measure}`,
    maxBatch: 'largest batch',
    fits: `${measure}`,
  }[what];
  const value = (amount: number): string =>
    what === 'fits' ? (amount === 1 ? 'fits' : 'does not fit') : what === 'maxBatch' ? String(amount) : bytesText(amount);
  const change =
    what === 'fits' || base === 0
      ? '\u2013'
      : head === base
        ? 'none'
        : `${head > base ? '+' : '\u2212'}${percent(Math.abs(head / base - 1), 2)}`;
  const allowed = row.tolerance > 0 && head !== base && verdict === 'same' ? `within ${percent(row.tolerance)}` : '';
  const cells = [`${name} ${at}`, label(row.method), value(base), value(head), change, joined(reason, allowed)];
  return { verdict, cells, finding: `${label(row.method)}, ${name} ${at}: ${value(base)} in BASE, ${value(head)} in HEAD` };
}

function joined(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('; ');
}

/** How many rows have each verdict, the worst first: `1 WORSE, 12 same`. */
export function tallyOf({ rows }: ComparisonTable): string {
  return ORDER.flatMap((verdict) => {
    const count = rows.filter((row) => row.verdict === verdict).length;
    return count === 0 ? [] : [`${count} ${VERDICT_WORDS[verdict]}`];
  }).join(', ');
}

/** One line about each of the two runs. */
export function sideLines({ base, head }: Comparison): readonly (readonly [name: string, line: string])[] {
  const line = ({ folder, suite, model, backend, commits, version, finished }: Comparison['base']): string => {
    const code = commits.length === 0 ? `version ${version}` : `commit ${commits.join(', ')}`;
    return `${folder} (suite ${suite}, model ${model.name}, ${code}, ${finished.slice(0, 10)}, ${backend})`;
  };
  return [
    ['BASE', line(base)],
    ['HEAD', line(head)],
  ];
}

/** The method, task, length and id of a sample, on one line. */
export function flipPlace({ method, task, length, sampleId }: Flip, { methods }: Comparison): string {
  const label = methods.find(({ head }) => head === method)?.label ?? method;
  return `${label}, ${task} at ${countText(length)} tokens, ${sampleId}`;
}
