import { groupBy } from '../../core/group-by.ts';
import { median } from '../../core/statistics/descriptive.ts';
import type { Selection } from '../../summary/selection.ts';
import { conditionOf, type TimedArm, timedArms } from '../../summary/speed/timed-arms.ts';
import { type Chart, frame, type MethodStyle, methodColour, tooltip, type VegaLiteSpec } from '../chart.ts';
import { armLabel } from '../rounds.ts';
import type { Theme } from '../theme.ts';
import { conditionText } from './bars.ts';

/** About the most points of a chart. When there are more rounds, only every second, third, ... round of each process is drawn, and the caption says so. */
const MOST_POINTS = 3000;

/** One chart for each condition, with every round of every process and the median of each contender. */
export function roundsCharts({ measurements }: Selection, styles: readonly MethodStyle[]): Chart[] {
  const conditions = groupBy(timedArms(measurements), conditionOf);
  return [...conditions.values()]
    .toSorted(([a], [b]) => (a === undefined || b === undefined ? 0 : byCondition(a, b)))
    .flatMap((arms) => (arms[0] === undefined ? [] : [roundsChart(arms[0], arms, styles)]));
}

function byCondition(a: TimedArm, b: TimedArm): number {
  return a.measure.localeCompare(b.measure) || a.length - b.length || a.batch - b.batch;
}

function roundsChart({ measure, length, batch }: TimedArm, arms: readonly TimedArm[], styles: readonly MethodStyle[]): Chart {
  const total = arms.reduce((sum, arm) => sum + arm.measurements.reduce((n, { samplesMs }) => n + samplesMs.length, 0), 0);
  const stride = Math.ceil(total / MOST_POINTS);
  const rows = arms.flatMap((arm) => rowsOf(arm, { stride, styles }));
  const condition = conditionText(length, measure === 'decode' ? batch : null);
  const title = `${measure === 'decode' ? 'Decoding' : 'Prefill'}, ${condition}`;
  const names = [...new Set(rows.map(({ arm }) => arm))];
  const alt = `Every round in ms of ${names.join(', ')}, ${title.toLowerCase()}, with the median of each.`;
  return {
    id: `rounds-${measure}-${length}${measure === 'decode' ? `x${batch}` : ''}`,
    section: 'rounds',
    title,
    caption: stride === 1 ? '' : `One round in ${stride} of ${total} is drawn; csv/timings.csv has all.`,
    alt,
    size: 'small',
    rows,
    spec: (theme) => strip({ theme, alt, rows, styles, names }),
  };
}

function rowsOf(arm: TimedArm, { stride, styles }: { readonly stride: number; readonly styles: readonly MethodStyle[] }) {
  const label = armLabel(arm, styles);
  const method = styles.find(({ id }) => id === arm.method)?.label ?? arm.method;
  const medianMs = median(arm.measurements.flatMap(({ samplesMs }) => samplesMs));
  return arm.measurements.flatMap(({ process, samplesMs }) =>
    samplesMs.flatMap((ms, round) =>
      round % stride === 0 ? [{ method, arm: label, process: process + 1, round: round + 1, ms, medianMs }] : [],
    ),
  );
}

/** Ticks of a small logarithmic axis: the least value, the middle of the axis and the largest value, in three digits. Their labels always have room. */
function endsAndMiddle(values: readonly number[]): number[] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return [...new Set([low, Math.sqrt(low * high), high].map((value) => Number(value.toPrecision(3))))];
}

interface StripOptions {
  readonly theme: Theme;
  readonly alt: string;
  readonly rows: Chart['rows'];
  readonly styles: readonly MethodStyle[];
  readonly names: readonly string[];
}

function strip({ theme, alt, rows, styles, names }: StripOptions): VegaLiteSpec {
  const y = { field: 'arm', type: 'nominal', sort: names, title: null, axis: { ticks: false, domain: false, labelLimit: 132 } };
  const x = {
    field: 'ms',
    type: 'quantitative',
    title: 'ms',
    scale: { type: 'log', nice: false, padding: 8 },
    axis: { values: endsAndMiddle(rows.map(({ ms }) => Number(ms))), format: ',~r' },
  };
  const color = methodColour(styles, theme);
  const fields = tooltip(
    ['arm', 'Method'],
    ['ms', 'This round (ms)', ',.4~r'],
    ['medianMs', 'Median (ms)', ',.4~r'],
    ['process', 'Process', 'd'],
    ['round', 'Round', 'd'],
  );
  return frame({
    theme,
    alt,
    width: 260,
    height: 17 * names.length,
    rows,
    styles,
    layer: [
      { mark: { type: 'point', filled: true, size: 22, opacity: 0.65 }, encoding: { x, y, color, tooltip: fields } },
      {
        mark: { type: 'tick', color: theme.ink, thickness: 1.6, size: 11 },
        encoding: { x: { ...x, field: 'medianMs', aggregate: 'min' }, y },
      },
    ],
  });
}
