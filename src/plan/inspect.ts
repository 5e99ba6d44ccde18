import { ceilToBlock } from '../core/blocks.ts';
import { invalidArgument } from '../core/errors.ts';
import { printableLine } from '../core/printable.ts';
import { type ColorDepth, colorDepthOf, paint, scaleColor } from './colors.ts';
import { formatRules } from './rule.ts';
import type { Plan } from './schema.ts';
import { curveLengths, ruleCurves, type SpanMap, spanMap } from './span-map.ts';
import { densityAt } from './spans.ts';

export interface InspectOptions {
  readonly lengths: readonly number[];
  /** Default: what the environment of standard output says (NO_COLOR, FORCE_COLOR, COLORTERM). */
  readonly color?: ColorDepth;
  /** Columns of the terminal; nothing is wider. Default 80. */
  readonly width?: number;
}

const LEVELS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const MAX_RULES = 16;

/** A plan for the terminal: what it is, its layer x KV head span map at each length, its rules, and the density over N. */
export function inspectPlan(plan: Plan, options: InspectOptions): string {
  const { lengths, width = 80 } = options;
  if (lengths.length === 0) throw invalidArgument('at least one length', 'lengths', lengths);
  if (!(width >= 40)) throw invalidArgument('at least 40 columns', 'width', width);
  const color = options.color ?? colorDepthOf(process.env, process.stdout.isTTY === true);
  const maps = lengths.map((tokens) => spanMap(plan, tokens));
  return [
    ...heading(plan, width),
    '',
    ...sideBySide(
      maps.map((map) => mapLines(map, color, width)),
      width,
    ),
    ...rules(plan, lengths, color, width),
    '',
    ...densities(plan, lengths, color, width),
  ]
    .map((line) => line.trimEnd())
    .join('\n');
}

function heading(plan: Plan, width: number): string[] {
  const { model, provenance } = plan;
  const kind = plan.heterogeneity === null ? plan.method : `${plan.method} (${plan.heterogeneity})`;
  const facts = [
    `${plan.name}: ${kind}`,
    `${model.name}, ${model.layers} layers x ${model.kvHeads} KV heads (${model.heads} query heads of ${model.headDim})`,
    `span = alpha + beta * N tokens, sink ${plan.sink}, whole blocks of ${plan.block}`,
    ...(provenance.gap === undefined ? [] : [`${provenance.solver ?? 'solver'}: proven gap ${(100 * provenance.gap).toFixed(2)}%`]),
    ...(provenance.tax === undefined || provenance.tax.disagree === 0
      ? []
      : [`${provenance.tax.disagree} of ${provenance.tax.groups} KV heads join different rules of their query heads`]),
  ];
  return facts.map((fact) => cut(printableLine(fact), width));
}

/** A title, one row per layer with a bar per KV head, and the layer's mean. */
function mapLines(map: SpanMap, color: ColorDepth, width: number): string[] {
  const digits = String(map.ratios.length - 1).length;
  const perCell = Math.ceil((map.ratios[0]?.length ?? 1) / (width - digits - 9));
  const cells = Math.ceil((map.ratios[0]?.length ?? 1) / perCell);
  const body = map.ratios.map((row, layer) => {
    const drawn = Array.from({ length: cells }, (_, c) => bar(mean(row.slice(c * perCell, (c + 1) * perCell)), color)).join('');
    return ` ${String(layer).padStart(digits)} ${drawn} ${(map.layerMeans[layer] as number).toFixed(3)}`;
  });
  const title = ` N = ${map.tokens}  density ${map.mean.toFixed(3)}`;
  return [title, ...body, ...(perCell > 1 ? [` one bar is the mean of ${perCell} KV heads`] : [])];
}

/** As many blocks beside each other as fit. */
function sideBySide(blocks: readonly (readonly string[])[], width: number): string[] {
  const lines: string[] = [];
  for (let from = 0; from < blocks.length; ) {
    let taken = 0;
    let used = 0;
    while (from + taken < blocks.length) {
      const own = Math.max(...(blocks[from + taken] as readonly string[]).map(visible)) + 2;
      if (taken > 0 && used + own > width + 2) break;
      used += own;
      taken++;
    }
    const row = blocks.slice(from, from + taken);
    const widths = row.map((block) => Math.max(...block.map(visible)));
    for (let i = 0; i < Math.max(...row.map((block) => block.length)); i++) {
      lines.push(row.map((block, b) => pad(block[i] ?? '', widths[b] as number)).join('  '));
    }
    lines.push('');
    from += taken;
  }
  return lines;
}

function rules(plan: Plan, lengths: readonly number[], color: ColorDepth, width: number): string[] {
  const at = curveLengths(lengths, Math.min(24, width - 36));
  const curves = ruleCurves(plan, at);
  const total = plan.model.layers * plan.model.kvHeads;
  const lines = curves.slice(0, MAX_RULES).map(({ rules: own, heads, spans }) => {
    const curve = spans.map((span, i) => bar(span / ceilToBlock(at[i] as number), color)).join('');
    return `${curve} ${String(heads).padStart(5)} ${((100 * heads) / total).toFixed(1).padStart(5)}%  ${formatRules(own)}`;
  });
  const more = curves.length > MAX_RULES ? [`and ${curves.length - MAX_RULES} more rules`] : [];
  return [cut(`Rules: span / N from N = ${at[0]} to ${at.at(-1)}, KV heads, share, span`, width), ...lines, ...more];
}

function densities(plan: Plan, lengths: readonly number[], color: ColorDepth, width: number): string[] {
  const length = Math.min(40, width - 20);
  return [
    'Density',
    ...lengths.map((tokens) => {
      const density = densityAt(plan, tokens);
      const filled = Math.round(density * length);
      return `${String(tokens).padStart(8)} ${paint('█'.repeat(filled), scaleColor(density), color)}${'░'.repeat(length - filled)} ${density.toFixed(4)}`;
    }),
  ];
}

function bar(ratio: number, color: ColorDepth): string {
  return paint(LEVELS[Math.min(7, Math.max(0, Math.round(ratio * 8) - 1))] as string, scaleColor(ratio), color);
}

/** Characters without the colour codes. */
function visible(text: string): number {
  return text.replace(/\u001b\[[\d;]*m/g, '').length;
}

function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - visible(text)));
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
