import { groupBy } from '../../core/group-by.ts';
import type { Timings } from '../../core/statistics/timing.ts';
import type { RecordOf } from '../../records/record.ts';

type Measurement = RecordOf<'measurement'>;

/** One contender under one condition with what its processes measured. */
export interface TimedArm {
  readonly method: string;
  readonly control: boolean;
  readonly measure: Measurement['measure'];
  readonly cache: Measurement['cache'];
  readonly length: number;
  readonly batch: number;
  /** Tokens of a pass, whole batch: latency becomes a rate by it. */
  readonly tokens: number;
  /** In the order of the processes. */
  readonly measurements: readonly Measurement[];
}

/** Contenders in the order of their first record. */
export function timedArms(measurements: readonly Measurement[]): TimedArm[] {
  const arms = groupBy(measurements, (m) => `${m.method}/${m.control}/${m.cache}/${conditionOf(m)}`);
  return [...arms.values()].map((own) => {
    const [first] = own as [Measurement, ...Measurement[]];
    const { method, control, measure, cache, length, batch, newTokens } = first;
    const tokens = batch * (measure === 'prefill' ? length : newTokens);
    return {
      method,
      control,
      measure,
      cache,
      length,
      batch,
      tokens,
      measurements: own.toSorted((a, b) => a.process - b.process),
    };
  });
}

/** What contenders share that were timed side by side. */
export function conditionOf(m: Pick<Measurement, 'measure' | 'length' | 'batch'>): string {
  return `${m.measure}/${m.length}/${m.batch}`;
}

/** All timings of a contender. */
export function timingsOf(arm: TimedArm): Timings {
  return arm.measurements.map((m) => m.samplesMs);
}

/** Timings of two contenders in the processes that timed both side by side. */
export function commonTimings(a: TimedArm, b: TimedArm): readonly [Timings, Timings] {
  const pairs = a.measurements.flatMap((own) => {
    const other = b.measurements.find((m) => m.process === own.process && m.samplesMs.length === own.samplesMs.length);
    return other === undefined ? [] : [[own.samplesMs, other.samplesMs] as const];
  });
  return [pairs.map(([own]) => own), pairs.map(([, other]) => other)];
}
