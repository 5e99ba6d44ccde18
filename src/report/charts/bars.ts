import type { MethodSummary } from '../../summary/summary.ts';
import { type Datum, frame, type MethodStyle, methodColour, tooltip, type VegaLiteSpec } from '../chart.ts';
import type { Theme } from '../theme.ts';

/** Options of a chart with a bar for each contender under each condition. */
interface BarOptions {
  readonly theme: Theme;
  readonly alt: string;
  readonly rows: readonly { readonly [column: string]: Datum }[];
  readonly styles: readonly MethodStyle[];
  readonly group: string;
  readonly xTitle: string;
  readonly whiskers: boolean;
}

/** Horizontal bars, side by side within each condition, with whiskers, or with ticks for planned values. */
export function bars({ theme, alt, rows, styles, group, xTitle, whiskers }: BarOptions): VegaLiteSpec {
  // The conditions are listed one by one, because Vega-Lite merges the domains of the layers and keeps the order only of a list of values.
  const conditions = [...new Set(rows.toSorted(byContextAndBatch).map((row) => row[group]))];
  const arms = [...new Set(rows.map((row) => row.arm))];
  const place = {
    y: {
      field: group,
      type: 'nominal',
      sort: conditions,
      title: null,
      axis: { ticks: false, domain: false, labelPadding: 8 },
      scale: { paddingInner: 0.18 },
    },
    yOffset: { field: 'arm', sort: arms },
  };
  const x = { field: 'estimate', type: 'quantitative', title: xTitle, scale: { zero: true }, axis: { tickCount: 5, format: ',~f' } };
  const opacity = { condition: { test: "datum.cache === 'dynamic'", value: 0.4 }, value: 0.92 };
  const color = methodColour(styles, theme);
  const optional = (field: string, title: string, format: string) =>
    rows.some((row) => typeof row[field] === 'number') ? ([[field, title, format]] as const) : [];
  const fields = tooltip(
    ['arm', 'Method'],
    [group, 'At'],
    ['estimate', xTitle, ',.1f'],
    ...optional('low', '95% from', ',.1f'),
    ...optional('high', 'to', ',.1f'),
    ...optional('planned', 'Planned (MiB)', ',.1f'),
    ...optional('speedup', 'Speed-up', '.2f'),
    ...optional('ratio', 'To baseline', '.3f'),
    ...optional('peakGB', 'Memory at the peak (GB)', ',.3f'),
    ...optional('processes', 'Processes', 'd'),
    ['n', 'n'],
  );
  const whisker = {
    mark: { type: 'rule', color: theme.ink, strokeWidth: 1.4 },
    encoding: { ...place, x: { ...x, field: 'low' }, x2: { field: 'high' } },
  };
  const planned = {
    mark: { type: 'tick', color: theme.ink, thickness: 1.4, size: 9 },
    encoding: { ...place, x: { ...x, field: 'planned' } },
  };
  const marks = [{ mark: { type: 'bar', cornerRadiusEnd: 2 }, encoding: { ...place, x, color, opacity, tooltip: fields } }];
  const noted = rows.some((row) => typeof row.note === 'string' && row.note !== '');
  const notes = {
    transform: [{ filter: "datum.note !== ''" }],
    mark: { type: 'text', align: 'left', dx: 4, fontSize: 10, color: theme.ink },
    encoding: { ...place, x, text: { field: 'note' } },
  };
  const overlay = whiskers ? (noted ? [whisker, notes] : [whisker]) : rows.some((row) => row.planned !== undefined) ? [planned] : [];
  return frame({
    theme,
    alt,
    width: 720,
    height: conditions.length * (arms.length * 13 + 12),
    rows,
    styles,
    layer: [...marks, ...overlay],
  });
}

function byContextAndBatch(a: BarOptions['rows'][number], b: BarOptions['rows'][number]): number {
  return Number(a.context) - Number(b.context) || Number(a.batch) - Number(b.batch);
}

/** `4k, batch 8`, `4k tokens`. */
export function conditionText(context: number, batch: number | null): string {
  const length = context % 1024 === 0 ? `${context / 1024}k` : context.toLocaleString('en-US');
  return batch === null ? `${length} tokens` : `${length}, batch ${batch}`;
}

export function labelOf(method: MethodSummary, styles: readonly MethodStyle[]): string {
  return styles.find((style) => style.id === method.id)?.label ?? method.id;
}
