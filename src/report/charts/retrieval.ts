import type { MethodSummary, Summary } from '../../summary/summary.ts';
import { type Chart, frame, LENGTH_LABEL, type MethodStyle, methodColour, methodShape, tooltip } from '../chart.ts';
import { HEAT } from '../theme.ts';

/** The chart of all methods' retrieval accuracy over length, with Wilson bands. Cells that are not whole are left out. */
export function retrievalChart(summary: Summary, styles: readonly MethodStyle[]): Chart[] {
  const rows = summary.methods.flatMap((method) =>
    (method.retrieval?.lengths ?? [])
      .filter(({ whole }) => whole)
      .map(({ length, accuracy, correct, toBaseline }) => ({
        method: styles.find((style) => style.id === method.id)?.label ?? method.id,
        length,
        accuracy: accuracy.estimate,
        low: accuracy.low,
        high: accuracy.high,
        correct,
        n: accuracy.n,
        delta: toBaseline?.delta.estimate ?? null,
      })),
  );
  if (rows.length === 0) return [];
  const lengths = [...new Set(rows.map((row) => row.length))];
  const threshold = summary.methods.find((method) => method.retrieval?.effectiveContext)?.retrieval?.effectiveContext?.threshold ?? 0.9;
  const alt = `Line chart of retrieval accuracy by context length (${lengths.join(', ')} tokens) for ${styles.map((style) => style.label).join(', ')}, with 95% intervals.`;
  return [
    {
      id: 'retrieval',
      section: 'retrieval',
      title: 'Retrieval accuracy over context length',
      caption: `Share of questions answered exactly; bands are 95% Wilson intervals. The dashed line is the ${Math.round(threshold * 100)}% that effective context asks for.`,
      alt,
      size: 'wide',
      rows,
      spec: (theme) => {
        const x = {
          field: 'length',
          type: 'quantitative',
          title: 'Context length (tokens)',
          scale: { type: 'log', base: 2, nice: false, padding: 16 },
          axis: { values: lengths, labelExpr: LENGTH_LABEL, grid: false },
        };
        const scale = { domain: [0, 1] };
        const y = { field: 'accuracy', type: 'quantitative', title: 'Accuracy', scale, axis: { format: '%', tickCount: 5 } };
        const color = methodColour(styles, theme);
        return frame({
          theme,
          alt,
          width: 720,
          height: 320,
          rows,
          styles,
          layer: [
            {
              mark: { type: 'rule', strokeDash: [4, 4], color: theme.muted },
              encoding: { y: { datum: threshold, type: 'quantitative', scale } },
            },
            { mark: { type: 'area', opacity: 0.12 }, encoding: { x, y: { ...y, field: 'low' }, y2: { field: 'high' }, color } },
            { mark: { type: 'line', strokeWidth: 2.2 }, encoding: { x, y, color } },
            {
              mark: { type: 'point', filled: true, size: 70, opacity: 1 },
              encoding: {
                x,
                y,
                color,
                shape: methodShape(styles, theme),
                tooltip: tooltip(
                  ['method', 'Method'],
                  ['length', 'Tokens', ','],
                  ['accuracy', 'Accuracy', '.1%'],
                  ['low', '95% from', '.1%'],
                  ['high', 'to', '.1%'],
                  ['correct', 'Right'],
                  ['n', 'of'],
                  ['delta', 'To baseline', '+.1%'],
                ),
              },
            },
          ],
        });
      },
    },
  ];
}

/** Heat maps of accuracy by length and by depth of the evidence, one for each method. */
export function depthCharts(summary: Summary, styles: readonly MethodStyle[]): Chart[] {
  return styles.flatMap(({ id, label }) => {
    const retrieval = summary.methods.find((method) => method.id === id)?.retrieval;
    if (retrieval === null || retrieval === undefined || retrieval.depths.length === 0) return [];
    return [depthChart(id, label, retrieval)];
  });
}

function depthChart(id: string, label: string, retrieval: NonNullable<MethodSummary['retrieval']>): Chart {
  const rows = retrieval.depths.map((cell) => ({
    length: cell.length,
    depth: `${Math.round(100 * cell.depthLow)}\u2013${Math.round(100 * cell.depthHigh)}%`,
    accuracy: cell.accuracy.estimate,
    low: cell.accuracy.low,
    high: cell.accuracy.high,
    correct: cell.correct,
    n: cell.accuracy.n,
  }));
  const depths = [...new Map(retrieval.depths.map((cell, i) => [cell.depthLow, rows[i]?.depth ?? ''])).entries()]
    .sort(([a], [b]) => a - b)
    .map(([, name]) => name);
  const lengths = [...new Set(rows.map((row) => row.length))];
  const alt = `Heat map of ${label}: retrieval accuracy by context length and by depth of the evidence.`;
  return {
    id: `depth-${id}`,
    section: 'retrieval',
    method: label,
    title: label,
    caption: '',
    alt,
    size: 'small',
    rows,
    spec: (theme) => {
      const x = {
        field: 'length',
        type: 'ordinal',
        sort: lengths,
        title: 'Length (tokens)',
        axis: { labelExpr: LENGTH_LABEL, labelAngle: 0, ticks: false, domain: false },
      };
      const y = { field: 'depth', type: 'ordinal', sort: depths, title: 'Depth of the evidence', axis: { ticks: false, domain: false } };
      const fields = tooltip(
        ['length', 'Tokens', ','],
        ['depth', 'Depth'],
        ['accuracy', 'Accuracy', '.0%'],
        ['low', '95% from', '.0%'],
        ['high', 'to', '.0%'],
        ['correct', 'Right'],
        ['n', 'of'],
      );
      return frame({
        theme,
        alt,
        width: 280,
        height: 26 * depths.length,
        rows,
        styles: [],
        layer: [
          {
            mark: { type: 'rect', stroke: theme.gap, cornerRadius: 2 },
            encoding: {
              x,
              y,
              color: { field: 'accuracy', type: 'quantitative', scale: { domain: [0, 1], range: HEAT }, legend: null },
              tooltip: fields,
            },
          },
          {
            mark: { type: 'text', fontSize: 10 },
            encoding: {
              x,
              y,
              text: { field: 'accuracy', type: 'quantitative', format: '.0%' },
              color: { condition: { test: 'datum.accuracy > 0.6', value: '#10151b' }, value: '#ffffff' },
              tooltip: fields,
            },
          },
        ],
      });
    },
  };
}
