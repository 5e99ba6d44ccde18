import { groupBy } from '../../core/group-by.ts';
import type { Timings } from '../../core/statistics/timing.ts';
import type { RecordOf } from '../../records/record.ts';

type Measurement = RecordOf<'measurement'>;

/** One contender (a method with one kind of cache, or the control) under one condition, with what the processes measured of it. */
export interface TimedArm {
  readonly method: string;
  readonly control: boolean;
  readonly measure: Measurement['measure'];
  readonly cache: Measurement['cache'];
  readonly length: number;
  readonly batch: number;
  /** Tokens of one pass over the whole batch. Divided by the latency of a pass they are the rate. */
  readonly tokens: number;
  /** In the order of the processes. */
  readonly measurements: readonly Measurement[];
}

/** All timed contenders, in the order of their first records. */
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

/** The condition of a timing as `measure/length/batch`. Contenders that were timed side by side have the same condition. */
export function conditionOf(m: Pick<Measurement, 'measure' | 'length' | 'batch'>): string {
  return `${m.measure}/${m.length}/${m.batch}`;
}

/** All timings of a contender in ms: a list for each process, with one time for each round. */
export function timingsOf(arm: TimedArm): Timings {
  return arm.measurements.map((m) => m.samplesMs);
}

/** The timings in ms of two contenders, from the processes that timed both in the same number of rounds. Both lists have the same processes. */
export function commonTimings(a: TimedArm, b: TimedArm): readonly [Timings, Timings] {
  const pairs = a.measurements.flatMap((own) => {
    const other = b.measurements.find((m) => m.process === own.process && m.samplesMs.length === own.samplesMs.length);
    return other === undefined ? [] : [[own.samplesMs, other.samplesMs] as const];
  });
  return [pairs.map(([own]) => own), pairs.map(([, other]) => other)];
}
