import { formatRules } from '../../plan/rule.ts';
import { ruleCurves } from '../../plan/span-map.ts';
import type { RecordOf } from '../../records/record.ts';
import { numbered } from '../../summary/phrases.ts';
import { type Chart, frame, LENGTH_LABEL, type MethodStyle, tooltip } from '../chart.ts';

const CURVE_POINTS = 32;

/** The chart of how the spans of a plan grow with length: one curve for each distinct rule, thicker when more heads have the rule. */
export function elasticCurves(record: RecordOf<'plan'>, { id, label, index }: MethodStyle, longest: number): Chart {
  const { layers, kvHeads } = record.plan.model;
  const lengths = Array.from({ length: CURVE_POINTS }, (_, i) => Math.max(128, Math.round((longest * (i + 1)) / CURVE_POINTS)));
  const curves = ruleCurves(record.plan, lengths);
  const rows = curves.flatMap(({ rules, heads, spans }) =>
    lengths.map((tokens, i) => ({ rule: formatRules(rules), heads, tokens, span: spans[i] as number })),
  );
  const scale = { domain: [0, longest], nice: false };
  const alt = `Line chart of ${label}: span in tokens over context length for its ${numbered(curves.length, 'distinct rule')}.`;
  return {
    id: `elastic-${id}`,
    section: 'elastic',
    method: label,
    title: label,
    caption: `${numbered(curves.length, 'distinct rule')} over ${numbered(layers * kvHeads, 'head')}`,
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
