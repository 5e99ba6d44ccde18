import { formatRule, ruleKey } from '../../plan/rule.ts';
import { ceilToBlock, ruleAt, spanOfRule, spansAt } from '../../plan/spans.ts';
import type { RecordOf } from '../../results/record.ts';
import { type Chart, frame, LENGTH_LABEL, type MethodStyle, tooltip } from '../chart.ts';
import { HEAT, SHARE } from '../theme.ts';

type PlanRecord = RecordOf<'plan'>;
const CURVE_POINTS = 32;

/** Spans of every layer and KV head at one length, as shares of it. */
export function spanMap(record: PlanRecord, { id, label }: MethodStyle, tokens: number): Chart {
  const { layers, kvHeads } = record.plan.model;
  const spans = spansAt(record.plan, tokens);
  const rows = Array.from(spans, (span, i) => ({
    layer: Math.floor(i / kvHeads),
    head: i % kvHeads,
    span,
    share: span / ceilToBlock(tokens),
    rule: formatRule(ruleAt(record.plan, Math.floor(i / kvHeads), i % kvHeads)),
  }));
  const alt = `Heat map of ${label}: the span of each of ${layers} layers and ${kvHeads} KV heads at ${tokens} tokens.`;
  return {
    id: `spans-${id}`,
    section: 'spans',
    method: label,
    title: label,
    caption: `Spans at ${tokens.toLocaleString('en-US')} tokens`,
    alt,
    size: 'small',
    rows,
    spec: (theme) => {
      const few = (count: number): number[] => Array.from({ length: count }, (_, i) => i).filter((i) => i % Math.ceil(count / 8) === 0);
      const axis = { ticks: false, domain: false, labelAngle: 0 };
      return frame({
        theme,
        alt,
        width: 280,
        height: Math.min(320, Math.max(120, 22 * layers)),
        rows,
        styles: [],
        layer: [
          {
            mark: { type: 'rect', stroke: theme.gap, strokeWidth: layers > 16 ? 0.4 : 1 },
            encoding: {
              x: { field: 'head', type: 'ordinal', title: 'KV head', axis: { ...axis, values: few(kvHeads) } },
              y: { field: 'layer', type: 'ordinal', title: 'Layer', axis: { ...axis, values: few(layers) } },
              color: {
                field: 'share',
                type: 'quantitative',
                scale: { domain: [0, 1], range: SHARE },
                legend: { title: 'Share kept', format: '%', orient: 'top', gradientLength: 120, gradientThickness: 8, tickCount: 3 },
              },
              tooltip: tooltip(
                ['layer', 'Layer'],
                ['head', 'KV head'],
                ['span', 'Span (tokens)', ','],
                ['share', 'Share', '.1%'],
                ['rule', 'Rule'],
              ),
            },
          },
        ],
      });
    },
  };
}

/** How the spans of a plan grow with length: one curve a distinct rule, thicker for more heads. */
export function elasticCurves(record: PlanRecord, { id, label, index }: MethodStyle, longest: number): Chart {
  const counts = new Map<string, { rule: { alpha: number; beta: number }; heads: number }>();
  const { layers, kvHeads } = record.plan.model;
  for (let i = 0; i < layers * kvHeads; i++) {
    const rule = ruleAt(record.plan, Math.floor(i / kvHeads), i % kvHeads);
    const entry = counts.get(ruleKey(rule));
    if (entry === undefined) counts.set(ruleKey(rule), { rule, heads: 1 });
    else entry.heads++;
  }
  const lengths = Array.from({ length: CURVE_POINTS }, (_, i) => Math.max(128, Math.round((longest * (i + 1)) / CURVE_POINTS)));
  const rows = [...counts.values()].flatMap(({ rule, heads }) =>
    lengths.map((tokens) => ({ rule: formatRule(rule), heads, tokens, span: spanOfRule(rule, tokens, record.plan.sink) })),
  );
  const scale = { domain: [0, longest], nice: false };
  const alt = `Line chart of ${label}: span in tokens over context length for its ${counts.size} distinct rules.`;
  return {
    id: `elastic-${id}`,
    section: 'elastic',
    method: label,
    title: label,
    caption: `${counts.size} distinct ${counts.size === 1 ? 'rule' : 'rules'} over ${layers * kvHeads} heads`,
    alt,
    size: 'small',
    rows,
    spec: (theme) =>
      frame({
        theme,
        alt,
        width: 280,
        height: 220,
        rows,
        styles: [],
        layer: [
          {
            data: {
              values: [
                { tokens: 0, span: 0 },
                { tokens: longest, span: longest },
              ],
            },
            mark: { type: 'line', strokeDash: [4, 4], color: theme.muted, strokeWidth: 1 },
            encoding: { x: { field: 'tokens', type: 'quantitative', scale }, y: { field: 'span', type: 'quantitative', scale } },
          },
          {
            mark: { type: 'line', color: theme.method(index), opacity: 0.75 },
            encoding: {
              x: {
                field: 'tokens',
                type: 'quantitative',
                title: 'Length N (tokens)',
                scale,
                axis: { tickCount: 4, labelExpr: LENGTH_LABEL, values: [longest / 4, longest / 2, longest] },
              },
              y: {
                field: 'span',
                type: 'quantitative',
                title: 'Span (tokens)',
                axis: { values: [longest / 4, longest / 2, longest], labelExpr: LENGTH_LABEL },
              },
              detail: { field: 'rule' },
              strokeWidth: { field: 'heads', type: 'quantitative', scale: { domain: [0, layers * kvHeads], range: [1, 7] }, legend: null },
              tooltip: tooltip(['rule', 'Rule'], ['heads', 'Heads', ',']),
            },
          },
        ],
      }),
  };
}

/** The Pareto front of one method: the plans that trade loss at one length for loss at another. */
export function frontChart(front: RecordOf<'front'>, { id, label }: MethodStyle): Chart[] {
  const lengths = Object.keys(front.points[0]?.losses ?? {})
    .map(Number)
    .sort((a, b) => a - b);
  const [first, last] = [lengths[0], lengths.at(-1)];
  if (first === undefined || last === undefined || front.points.length < 2) return [];
  const single = first === last;
  const rows = front.points.map((point) => ({
    plan: point.planHash.slice(0, 8),
    x: point.losses[String(first)] ?? null,
    y: single ? point.validationLoss : (point.losses[String(last)] ?? null),
    validation: point.validationLoss,
    gap: point.gap,
    chosen: point.chosen ? 'chosen' : '',
  }));
  const alt = `Scatter plot of the ${rows.length} Pareto plans of ${label}: predicted loss at ${first} against ${single ? 'validation loss' : `predicted loss at ${last}`} tokens; the chosen plan is ringed.`;
  return [
    {
      id: `front-${id}`,
      section: 'fronts',
      method: label,
      title: label,
      caption: `${rows.length} Pareto plans; colour is the loss at the unseen validation length, the ring marks the plan that was chosen`,
      alt,
      size: 'small',
      rows,
      spec: (theme) => {
        const x = {
          field: 'x',
          type: 'quantitative',
          title: `Predicted loss at ${first}`,
          scale: { zero: false, padding: 12 },
          axis: { tickCount: 4 },
        };
        const y = {
          field: 'y',
          type: 'quantitative',
          title: single ? 'Validation loss' : `Predicted loss at ${last}`,
          scale: { zero: false, padding: 12 },
          axis: { tickCount: 4 },
        };
        const fields = tooltip(
          ['plan', 'Plan'],
          ['x', `Loss at ${first}`, '.4f'],
          ['y', single ? 'Validation' : `Loss at ${last}`, '.4f'],
          ['validation', 'Validation loss', '.4f'],
          ['gap', 'Solver gap', '.2%'],
          ['chosen', ''],
        );
        const color = {
          field: 'validation',
          type: 'quantitative',
          scale: { range: [...HEAT].reverse() },
          legend: { title: 'Validation loss', orient: 'top', gradientLength: 120, gradientThickness: 8, tickCount: 3 },
        };
        return frame({
          theme,
          alt,
          width: 280,
          height: 220,
          rows,
          styles: [],
          layer: [
            { mark: { type: 'line', color: theme.muted, strokeWidth: 1, opacity: 0.5 }, encoding: { x, y, order: { field: 'x' } } },
            {
              mark: { type: 'point', filled: true, size: 70, opacity: 1, stroke: theme.muted, strokeWidth: 0.5 },
              encoding: { x, y, color, tooltip: fields },
            },
            {
              transform: [{ filter: "datum.chosen === 'chosen'" }],
              mark: { type: 'point', filled: false, size: 200, color: theme.ink, strokeWidth: 2 },
              encoding: { x, y },
            },
          ],
        });
      },
    },
  ];
}
