import { ceilToBlock } from '../../core/blocks.ts';
import { formatRules, type HeadRules } from '../../plan/rule.ts';
import { rulesOf, spansAt } from '../../plan/spans.ts';
import type { RecordOf } from '../../records/record.ts';
import { type Chart, frame, type MethodStyle, tooltip } from '../chart.ts';
import { SHARE } from '../theme.ts';

/** A heat map of the span of every layer and KV head at `tokens`, as a share of this length. */
export function spanMap(record: RecordOf<'plan'>, { id, label }: MethodStyle, tokens: number): Chart {
  const { layers, kvHeads } = record.plan.model;
  const spans = spansAt(record.plan, tokens);
  const rules = rulesOf(record.plan);
  const rows = Array.from(spans, (span, i) => ({
    layer: Math.floor(i / kvHeads),
    head: i % kvHeads,
    span,
    share: span / ceilToBlock(tokens),
    rule: formatRules(rules[i] as HeadRules),
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
