import { kvShare, shareLength } from '../summary/kv-share.ts';
import { countText, listed, percent, percentWithInterval, pointsWithInterval, signedWithInterval } from '../summary/phrases.ts';
import type { Measure, Speed } from '../summary/speed/estimates.ts';
import { hardest } from '../summary/speed/speed.ts';
import { timedText } from '../summary/speed/verdicts.ts';
import type { MethodSummary, Point, Summary } from '../summary/summary.ts';
import { methodStyles } from './chart.ts';
import { costText, decodeShare, tokensPerSecondPerGB } from './cost.ts';

interface HeadlineColumn {
  readonly name: string;
  readonly title: string;
}

interface HeadlineRow {
  readonly id: string;
  readonly label: string;
  /** Place in the palette. */
  readonly index: number;
  readonly baseline: boolean;
  /** One text for each column; a dash when nothing was measured. */
  readonly cells: readonly string[];
}

export interface Headline {
  readonly columns: readonly HeadlineColumn[];
  readonly rows: readonly HeadlineRow[];
}

const MISSING = '\u2013';

/**
 * The table with the main results: one row for each method, and one column for each question, such as memory, retrieval or speed. Columns that would hold only
 * dashes are left out.
 */
export function headline(summary: Summary): Headline {
  const decode = hardest(summary.methods.flatMap((method) => method.decode));
  const prefill = hardest(summary.methods.flatMap((method) => method.prefill));
  const at = (speed: Speed | undefined): string => (speed === undefined ? '' : `${countText(speed.length)} tokens, batch ${speed.batch}`);
  const speedOf = (method: MethodSummary, measure: Measure, wanted: Speed | undefined): string => {
    const speed = method[measure].find((at) => isAt(at, wanted));
    if (speed === undefined) return method.unfit.some((at) => at.measure === measure && isAt(at, wanted)) ? 'does not fit' : MISSING;
    if (method.id === summary.baseline) return `1x (${countText(speed.tokensPerSecond.estimate)} tok/s)`;
    return speed.speedup === null ? `${countText(speed.tokensPerSecond.estimate)} tok/s` : timedText(speed.speedup);
  };
  const columns: ColumnOf[] = [
    ...qualityColumns(summary),
    { name: 'Decode speed', title: at(decode), cell: (m) => speedOf(m, 'decode', decode) },
    {
      name: 'Decode per GB',
      title: decode === undefined ? '' : `tokens/s per GB of memory, ${at(decode)}`,
      cell: (m) => costOf(m.decode.find((speed) => isAt(speed, decode))),
    },
    { name: 'Prefill speed', title: at(prefill), cell: (m) => speedOf(m, 'prefill', prefill) },
    { name: 'Largest batch', title: 'in the memory limit', cell: (m) => capacity(m) },
  ];
  const filled = columns.filter((column) => summary.methods.some((method) => column.cell(method) !== MISSING));
  const styles = methodStyles(summary);
  return {
    columns: filled.map(({ name, title }) => ({ name, title })),
    rows: summary.methods.map((method, i) => ({
      id: method.id,
      label: styles[i]?.label ?? method.label,
      index: styles[i]?.index ?? 0,
      baseline: method.id === summary.baseline,
      cells: filled.map((column) => column.cell(method)),
    })),
  };
}

/** Whether a timing, or a cache that did not fit, is of the method's own (non-growing) cache under this condition. */
function isAt(own: Pick<Speed, 'cache' | 'length' | 'batch'>, condition: Speed | undefined): boolean {
  return own.length === condition?.length && own.batch === condition.batch && own.cache !== 'dynamic';
}

interface ColumnOf extends HeadlineColumn {
  readonly cell: (method: MethodSummary) => string;
}

/** The columns of memory and quality. Means are over the conditions that all methods have. The title says so when the suite asks for more. */
function qualityColumns(summary: Summary): ColumnOf[] {
  const { baseline } = summary;
  const { lengths, tasks, lossTasks } = summary.common;
  const threshold = summary.methods.find((m) => m.retrieval?.effectiveContext)?.retrieval?.effectiveContext?.threshold ?? 0.9;
  const only = lengths.leftOut.length === 0 ? '' : ` of ${listed(lengths.used.map(countText))} tokens only`;
  const some = ({ used, leftOut }: Summary['common']['tasks']): string =>
    leftOut.length === 0 ? '' : `, over ${used.length} of ${used.length + leftOut.length} tasks`;
  return [
    memoryColumn(summary),
    {
      name: 'Retrieval',
      title: only === '' ? 'mean over lengths' : `mean${only}`,
      cell: (m) => (m.retrieval?.mean ? percentWithInterval(m.retrieval.mean) : MISSING),
    },
    { name: `vs ${baseline}`, title: 'points, same samples', cell: deltaOf },
    { name: 'Effective context', title: `longest length${only} at \u2265 ${percent(threshold)}`, cell: effective },
    { name: 'Task scores', title: `mean score, of ${baseline}'s${some(tasks)}`, cell: (m) => scoreOf(m, baseline) },
    { name: 'Answer loss', title: `nats per token, beside ${baseline}'s${some(lossTasks)}`, cell: (m) => lossOf(m, baseline) },
  ];
}

/** Whether some cell says that it has no interval. */
export function lacksIntervals({ rows }: Headline): boolean {
  return rows.some((row) => row.cells.some((cell) => cell.includes('(no interval)')));
}

/** Whether some cell has an interval, which stands in square brackets. */
export function hasIntervals({ rows }: Headline): boolean {
  return rows.some((row) => row.cells.some((cell) => cell.includes('[')));
}

/** The column of KV memory, from the scored samples, or from the timed conditions when no sample was scored. */
function memoryColumn(summary: Summary): ColumnOf {
  const { baseline } = summary;
  const length = shareLength(summary);
  const shareOf = (method: MethodSummary): number | null => {
    if (length === null) return decodeShare(method, summary);
    if (method.id === baseline) return method.kvBytes.length === 0 ? null : 1;
    return kvShare(method, length);
  };
  return {
    name: 'KV memory',
    title: `resident, of ${baseline}, ${length === null ? 'when decoding' : `at ${countText(length)} tokens`}`,
    cell: (method) => {
      const share = shareOf(method);
      return share === null ? MISSING : percent(share, share === 1 ? 0 : 1);
    },
  };
}

function deltaOf(method: MethodSummary): string {
  const delta = method.retrieval?.meanToBaseline?.delta;
  return delta === undefined ? MISSING : pointsWithInterval(delta);
}

function effective(method: MethodSummary): string {
  const context = method.retrieval?.effectiveContext;
  if (!context) return MISSING;
  const beyond = context.tokens === context.longestTested ? '\u2265 ' : '';
  const shortest = method.retrieval?.lengths.find((at) => at.whole)?.length ?? 0;
  const value = context.tokens === 0 ? `< ${countText(shortest)}` : `${beyond}${countText(context.tokens)}`;
  return `${value} [${countText(context.low)}, ${countText(context.high)}]`;
}

/** The method's score relative to the baseline's. The baseline shows its own score, and `100%` only when that is above 0. */
function scoreOf(method: MethodSummary, baseline: string): string {
  const mean = method.scores?.mean;
  if (!mean) return MISSING;
  if (method.id !== baseline) return relative(mean.relative);
  const own = mean.score.estimate.toFixed(3);
  return mean.score.estimate > 0 ? `100% (${own})` : own;
}

function lossOf(method: MethodSummary, baseline: string): string {
  const { loss, toBaseline } = method.perplexity ?? {};
  if (method.id === baseline) return loss ? loss.estimate.toFixed(3) : MISSING;
  return toBaseline ? signedWithInterval(toBaseline.delta, 3) : MISSING;
}

function costOf(speed: Speed | undefined): string {
  const cost = speed === undefined ? null : tokensPerSecondPerGB(speed);
  return cost === null ? MISSING : costText(cost);
}

function capacity(method: MethodSummary): string {
  const [own] = method.maxBatch;
  if (own === undefined) return MISSING;
  return `${own.stopped === 'largest' ? '\u2265 ' : ''}${own.maxBatch}${own.ratioToBaseline === null ? '' : ` (${own.ratioToBaseline.toFixed(2)}x)`}`;
}

function relative(value: Point | null): string {
  return value === null ? MISSING : percentWithInterval(value);
}
