import { MEASURES, type Measure, type Speed } from '../../summary/speed/estimates.ts';
import type { MethodSummary, Summary } from '../../summary/summary.ts';
import { type Chart, type Datum, frame, type MethodStyle, methodColour, tooltip, type VegaLiteSpec } from '../chart.ts';
import type { Theme } from '../theme.ts';

/** Tokens per second in prefill and decode, bars with intervals; what did not fit into memory is said in its place. */
export function speedCharts(summary: Summary, styles: readonly MethodStyle[]): Chart[] {
  return MEASURES.flatMap((measure) => {
    const rows = summary.methods.flatMap((method) => [
      ...method[measure].map((speed) => ({
        ...placeOf(method, styles, measure, speed),
        estimate: speed.tokensPerSecond.estimate,
        low: speed.tokensPerSecond.low,
        high: speed.tokensPerSecond.high,
        n: speed.tokensPerSecond.rounds,
        processes: speed.tokensPerSecond.processes,
        speedup: speed.speedup?.estimate ?? null,
        note: '',
      })),
      ...method.unfit
        .filter((at) => at.measure === measure)
        .map((at) => ({
          ...placeOf(method, styles, measure, at),
          estimate: 0,
          low: null,
          high: null,
          n: 0,
          processes: 0,
          speedup: null,
          note: 'does not fit into memory',
        })),
    ]);
    if (rows.length === 0) return [];
    const title = measure === 'decode' ? 'Decoding throughput' : 'Prefill throughput';
    const alt = `Bar chart of ${title.toLowerCase()} in tokens per second for ${[...new Set(rows.map((row) => row.arm))].join(', ')}, with 95% intervals.`;
    return [
      {
        id: measure,
        section: 'speed' as const,
        title,
        caption: captionOf(rows),
        alt,
        size: 'wide' as const,
        rows,
        spec: (theme: Theme) => bars({ theme, alt, rows, styles, group: 'condition', xTitle: 'Tokens per second', whiskers: true }),
      },
    ];
  });
}

function placeOf(method: MethodSummary, styles: readonly MethodStyle[], measure: Measure, at: Pick<Speed, 'cache' | 'length' | 'batch'>) {
  const label = labelOf(method, styles);
  return {
    method: label,
    arm: `${label}${at.cache === 'dynamic' ? ' (growing cache)' : ''}`,
    cache: at.cache,
    condition: conditionText(at.length, measure === 'decode' ? at.batch : null),
    context: at.length,
    batch: at.batch,
  };
}

function captionOf(rows: readonly { readonly cache: string; readonly processes: number; readonly low: number | null }[]): string {
  const processes = Math.max(...rows.map((row) => row.processes));
  const whiskers = rows.every((row) => row.low === null)
    ? 'too few rounds for intervals'
    : processes > 1
      ? `whiskers are 95% intervals over ${processes} processes`
      : 'whiskers are 95% intervals over the rounds of one process; another may differ';
  const grows = rows.some((row) => row.cache === 'dynamic') ? ' Pale bars: a cache that grows by concatenation.' : '';
  return `Typical time of interleaved rounds (their pseudomedian); ${whiskers}.${grows}`;
}

/** Resident KV memory by length. */
export function memoryChart(summary: Summary, styles: readonly MethodStyle[]): Chart[] {
  const rows = summary.methods.flatMap((method) =>
    method.kvBytes.map(({ length, resident, planned, ratioToBaseline, n }) => ({
      method: labelOf(method, styles),
      arm: labelOf(method, styles),
      cache: 'ring',
      condition: conditionText(length, null),
      context: length,
      batch: 1,
      estimate: resident / 2 ** 20,
      planned: planned / 2 ** 20,
      ratio: ratioToBaseline,
      n,
    })),
  );
  if (rows.length === 0) return [];
  const alt = `Bar chart of resident KV memory per sequence in MiB by context length for ${styles.map((style) => style.label).join(', ')}.`;
  return [
    {
      id: 'memory',
      section: 'memory',
      title: 'KV memory per sequence',
      caption: 'Bytes that the allocator gave, mean over scored samples; ticks are what the plan implies.',
      alt,
      size: 'wide',
      rows,
      spec: (theme) => bars({ theme, alt, rows, styles, group: 'condition', xTitle: 'KV memory (MiB)', whiskers: false }),
    },
  ];
}

/** Largest batch within the memory limit. */
export function capacityChart(summary: Summary, styles: readonly MethodStyle[]): Chart[] {
  const rows = summary.methods.flatMap((method) =>
    method.maxBatch.map((capacity) => ({
      method: labelOf(method, styles),
      arm: labelOf(method, styles),
      cache: 'ring',
      condition: conditionText(capacity.length, null),
      context: capacity.length,
      batch: capacity.maxBatch,
      estimate: capacity.maxBatch,
      ratio: capacity.ratioToBaseline,
      n: 1,
    })),
  );
  if (rows.length === 0) return [];
  const alt = `Bar chart of the largest batch that fits the memory limit for ${[...new Set(rows.map((row) => row.arm))].join(', ')}.`;
  return [
    {
      id: 'capacity',
      section: 'memory',
      title: 'Largest batch within the memory limit',
      caption: 'Found by bisection over real allocations.',
      alt,
      size: 'wide',
      rows,
      spec: (theme) => bars({ theme, alt, rows, styles, group: 'condition', xTitle: 'Sequences', whiskers: false }),
    },
  ];
}

interface BarOptions {
  readonly theme: Theme;
  readonly alt: string;
  readonly rows: readonly { readonly [column: string]: Datum }[];
  readonly styles: readonly MethodStyle[];
  readonly group: string;
  readonly xTitle: string;
  readonly whiskers: boolean;
}

function bars({ theme, alt, rows, styles, group, xTitle, whiskers }: BarOptions): VegaLiteSpec {
  // Named one by one: the layers' domains are merged, and only a list of values survives that.
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

function conditionText(context: number, batch: number | null): string {
  const length = context % 1024 === 0 ? `${context / 1024}k` : context.toLocaleString('en-US');
  return batch === null ? `${length} tokens` : `${length}, batch ${batch}`;
}

function labelOf(method: MethodSummary, styles: readonly MethodStyle[]): string {
  return styles.find((style) => style.id === method.id)?.label ?? method.id;
}
