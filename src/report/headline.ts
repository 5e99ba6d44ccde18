import { countText, percent, percentWithInterval, points, ratioText } from '../results/phrases.ts';
import { hardest } from '../results/speed.ts';
import type { Estimate, MethodSummary, Speed, Summary } from '../results/summary.ts';
import { methodStyles } from './chart.ts';

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
  /** One text a column; a dash where nothing was measured. */
  readonly cells: readonly string[];
}

export interface Headline {
  readonly columns: readonly HeadlineColumn[];
  readonly rows: readonly HeadlineRow[];
}

const MISSING = '\u2013';

/** The one table that says it: a row a method, a column a question, only columns that have an answer. */
export function headline(summary: Summary): Headline {
  const decode = hardest(summary.methods.flatMap((method) => method.decode));
  const prefill = hardest(summary.methods.flatMap((method) => method.prefill));
  const at = (speed: Speed | undefined): string =>
    speed === undefined ? '' : `${countText(speed.contextTokens)} tokens, batch ${speed.batch}`;
  const same =
    (speed: Speed | undefined) =>
    (other: Speed): boolean =>
      other.contextTokens === speed?.contextTokens && other.batch === speed.batch && other.cache !== 'dynamic';
  const speedOf = (timings: readonly Speed[], wanted: Speed | undefined, own: boolean): string => {
    const speed = timings.find(same(wanted));
    if (speed === undefined) return MISSING;
    return own ? `1x (${countText(speed.tokensPerSecond.estimate)} tok/s)` : speed.speedup === null ? MISSING : ratioText(speed.speedup);
  };
  const columns: (HeadlineColumn & { readonly cell: (method: MethodSummary) => string })[] = [
    {
      name: 'KV memory',
      title: `resident, of ${summary.baseline}`,
      cell: (m) => shareOf(m, summary.baseline),
    },
    {
      name: 'Retrieval',
      title: 'mean over lengths',
      cell: (m) => (m.retrieval ? `${percentWithInterval(m.retrieval.mean)}` : MISSING),
    },
    { name: `vs ${summary.baseline}`, title: 'points, same samples', cell: (m) => deltaOf(m) },
    {
      name: 'Effective context',
      title: `longest length at \u2265 ${percent(summary.methods.find((m) => m.retrieval)?.retrieval?.effectiveContext.threshold ?? 0.9)}`,
      cell: effective,
    },
    {
      name: 'Task scores',
      title: `mean score, of ${summary.baseline}'s`,
      cell: (m) =>
        m.id === summary.baseline && m.scores ? `100% (${m.scores.mean.score.estimate.toFixed(3)})` : relative(m.scores?.mean.relative),
    },
    {
      name: 'Perplexity',
      title: 'of the answers',
      cell: (m) => (m.perplexity ? valueText(m.perplexity.perplexity) : MISSING),
    },
    { name: 'Decode speed', title: at(decode), cell: (m) => speedOf(m.decode, decode, m.id === summary.baseline) },
    { name: 'Prefill speed', title: at(prefill), cell: (m) => speedOf(m.prefill, prefill, m.id === summary.baseline) },
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

/** Whether a cell has an interval, which is in brackets. */
export function hasIntervals({ rows }: Headline): boolean {
  return rows.some((row) => row.cells.some((cell) => cell.includes('[')));
}

function shareOf(method: MethodSummary, baseline: string): string {
  const share = method.id === baseline ? (method.kvBytes.length === 0 ? null : 1) : (method.kvBytes.at(-1)?.ratioToBaseline ?? null);
  return share === null ? MISSING : percent(share, share === 1 ? 0 : 1);
}

function deltaOf(method: MethodSummary): string {
  const delta = method.retrieval?.meanToBaseline?.delta;
  return delta === undefined ? MISSING : `${points(delta.estimate)} [${points(delta.low)}, ${points(delta.high)}]`;
}

function effective(method: MethodSummary): string {
  const context = method.retrieval?.effectiveContext;
  if (context === undefined) return MISSING;
  const beyond = context.tokens === context.longestTested ? '\u2265 ' : '';
  const value =
    context.tokens === 0 ? `< ${countText(method.retrieval?.lengths[0]?.length ?? 0)}` : `${beyond}${countText(context.tokens)}`;
  return `${value} [${countText(context.low)}, ${countText(context.high)}]`;
}

function capacity(method: MethodSummary): string {
  const [own] = method.maxBatch;
  if (own === undefined) return MISSING;
  return `${own.stopped === 'largest' ? '\u2265 ' : ''}${own.maxBatch}${own.ratioToBaseline === null ? '' : ` (${own.ratioToBaseline.toFixed(2)}x)`}`;
}

function relative(value: Estimate | null | undefined): string {
  return value === null || value === undefined ? MISSING : percentWithInterval(value);
}

function valueText({ estimate, low, high }: Estimate): string {
  return `${estimate.toFixed(2)} [${low.toFixed(2)}, ${high.toFixed(2)}]`;
}
