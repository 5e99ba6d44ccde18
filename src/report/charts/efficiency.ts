import { MEASURES, type Measure, type Speed } from '../../summary/speed/estimates.ts';
import type { MethodSummary, Summary } from '../../summary/summary.ts';
import type { Chart, MethodStyle } from '../chart.ts';
import { tokensPerSecondPerGB } from '../cost.ts';
import type { Theme } from '../theme.ts';
import { bars, conditionText, labelOf } from './bars.ts';

/** Charts of tokens per second in decoding and prefill, with intervals. Where a method did not fit into memory, a note stands in the place of the bar. */
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

/** The chart of resident KV memory per sequence in MiB, by length; empty when no sample was scored. */
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

/** The chart of the largest batch within the memory limit; empty when it was not searched for. */
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

/** The chart of decoding tokens per second for each GB of memory at the peak; empty when no peak is on record. */
export function costChart(summary: Summary, styles: readonly MethodStyle[]): Chart[] {
  const rows = summary.methods.flatMap((method) =>
    method.decode.flatMap((speed) => {
      const cost = tokensPerSecondPerGB(speed);
      if (cost === null) return [];
      const { estimate, low, high, rounds: n } = cost;
      return [{ ...placeOf(method, styles, 'decode', speed), estimate, low, high, peakGB: (speed.peakBytes ?? 0) / 1e9, n }];
    }),
  );
  if (rows.length === 0) return [];
  const alt = `Bar chart of decoding tokens per second for each GB of memory at the peak for ${[...new Set(rows.map((row) => row.arm))].join(', ')}, with 95% intervals.`;
  return [
    {
      id: 'cost',
      section: 'speed',
      title: 'Decoding throughput for its memory',
      caption:
        'Tokens per second for each GB (1,000,000,000 bytes) of weights, caches and workspace at their peak; whiskers are the intervals of the rates.',
      alt,
      size: 'wide',
      rows,
      spec: (theme) => bars({ theme, alt, rows, styles, group: 'condition', xTitle: 'Tokens per second per GB of memory', whiskers: true }),
    },
  ];
}
