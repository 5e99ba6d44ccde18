import { median, quantile } from '../core/statistics/descriptive.ts';
import { countText } from '../summary/phrases.ts';
import type { Selection } from '../summary/selection.ts';
import { type TimedArm, timedArms } from '../summary/speed/timed-arms.ts';
import type { MethodStyle } from './chart.ts';

/** A table shows so many rounds of each process. csv/timings.csv has all. */
const SHOWN = 12;

/** A table of every timing beside the median, with one row for each contender and condition. */
export interface RoundsTable {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Whether a process has more rounds than are shown. */
  readonly cut: boolean;
}

export function roundsTable({ measurements }: Selection, styles: readonly MethodStyle[]): RoundsTable {
  const arms = timedArms(measurements).toSorted((a, b) => a.measure.localeCompare(b.measure) || a.length - b.length || a.batch - b.batch);
  const processes = Math.max(0, ...arms.map((arm) => arm.measurements.length));
  return {
    head: [
      '',
      'Method',
      'Context',
      'Batch',
      'Lower quartile',
      'Median',
      ...Array.from({ length: processes }, (_, i) => `Process ${i + 1}`),
    ],
    rows: arms.map((arm) => rowOf(arm, { styles, processes })),
    cut: arms.some((arm) => arm.measurements.some(({ samplesMs }) => samplesMs.length > SHOWN)),
  };
}

/** The name of a contender: its method's label, and whether it has a growing cache or is the control. */
export function armLabel(
  { method, cache, control }: Pick<TimedArm, 'method' | 'cache' | 'control'>,
  styles: readonly MethodStyle[],
): string {
  const label = styles.find((style) => style.id === method)?.label ?? method;
  return `${label}${cache === 'dynamic' ? ' (growing)' : ''}${control ? ' (control)' : ''}`;
}

function rowOf(arm: TimedArm, { styles, processes }: { readonly styles: readonly MethodStyle[]; readonly processes: number }): string[] {
  const all = arm.measurements.flatMap(({ samplesMs }) => samplesMs);
  return [
    arm.measure,
    armLabel(arm, styles),
    countText(arm.length),
    String(arm.batch),
    msText(quantile(all, 0.25)),
    msText(median(all)),
    ...Array.from({ length: processes }, (_, i) => roundsText(arm.measurements[i]?.samplesMs ?? [])),
  ];
}

function roundsText(samplesMs: readonly number[]): string {
  const shown = samplesMs.slice(0, SHOWN).map(msText).join(' ');
  return samplesMs.length > SHOWN ? `${shown} and ${countText(samplesMs.length - SHOWN)} more` : shown;
}

/** A time with four digits, because timings differ in the third. */
function msText(ms: number): string {
  return ms >= 1000 ? ms.toFixed(0) : ms.toPrecision(4);
}
