import { median, quantile } from '../../core/statistics/descriptive.ts';
import { type TimingEstimate, timingRatio, typicalTime } from '../../core/statistics/timing.ts';
import type { RecordOf } from '../../records/record.ts';
import type { MethodSummary } from '../summary.ts';
import type { Measure, Speed, Timed, Unfit } from './estimates.ts';
import { commonTimings, conditionOf, type TimedArm, timingsOf } from './timed-arms.ts';

type Capacity = RecordOf<'capacity'>;

/** The timings of one method under every condition, each with its speed-up over the baseline's own (non-growing) cache under the same condition. */
export function summarizeSpeed(
  arms: readonly TimedArm[],
  of: { readonly method: string; readonly baseline: string; readonly measure: Measure },
): Speed[] {
  const plain = arms.filter((arm) => arm.measure === of.measure && !arm.control);
  const references = plain.filter((arm) => arm.method === of.baseline && arm.cache !== 'dynamic');
  return plain
    .filter((arm) => arm.method === of.method)
    .map((arm) => {
      const reference = references.find((other) => conditionOf(other) === conditionOf(arm));
      const all = arm.measurements.flatMap((m) => m.samplesMs);
      const latency = typicalTime(timingsOf(arm));
      return {
        cache: arm.cache,
        length: arm.length,
        batch: arm.batch,
        latencyMs: latency,
        lowerQuartileMs: quantile(all, 0.25),
        medianMs: median(all),
        tokensPerSecond: rateOf(latency, 1000 * arm.tokens),
        speedup: reference === undefined || reference === arm ? null : speedRatio(arm, reference),
        ...memoryOf(arm),
      };
    });
}

/** Tokens per second of `arm` divided by those of `other`, over the processes that timed both; null when no process did. */
function speedRatio(arm: TimedArm, other: TimedArm): Timed | null {
  const [own, theirs] = commonTimings(arm, other);
  if (own.length === 0) return null;
  const { p: _p, ...ratio } = timingRatio(theirs, own);
  return ratio;
}

/** The timing under the hardest condition: the longest context, and among these the largest batch. */
export function hardest<T extends { readonly length: number; readonly batch: number }>(timings: readonly T[]): T | undefined {
  return timings.toSorted((a, b) => b.length - a.length || b.batch - a.batch)[0];
}

/** The conditions under which a method did not fit into memory. The control is left out. */
export function summarizeUnfit(records: readonly RecordOf<'unfit'>[]): Unfit[] {
  return records
    .filter((record) => !record.control)
    .map(({ measure, cache, length, batch, reason }) => ({ measure, cache, length, batch, reason }));
}

/** The largest batches that were found, each divided by the largest batch of the baseline's own cache at the same length and memory limit. */
export function summarizeCapacity(own: readonly Capacity[], baseline: readonly Capacity[]): MethodSummary['maxBatch'] {
  return own.map((capacity) => {
    const reference = baseline.find(
      (other) => other.cache !== 'dynamic' && other.length === capacity.length && other.memoryLimitBytes === capacity.memoryLimitBytes,
    );
    const ratio = reference === undefined || reference.maxBatch === 0 ? null : capacity.maxBatch / reference.maxBatch;
    return {
      cache: capacity.cache,
      length: capacity.length,
      memoryLimitBytes: capacity.memoryLimitBytes,
      maxBatch: capacity.maxBatch,
      stopped: capacity.stopped,
      ratioToBaseline: reference === capacity ? null : ratio,
    };
  });
}

function rateOf({ estimate, low, high, ...n }: TimingEstimate, amount: number): Timed {
  return { estimate: amount / estimate, low: high === null ? null : amount / high, high: low === null ? null : amount / low, ...n };
}

/** The largest figures of all processes. KV bytes and allocated peaks differ between processes only when something is wrong. */
function memoryOf({ measurements }: TimedArm): Pick<Speed, 'kvBytes' | 'peakBytes' | 'rssBytes'> {
  const largest = (values: readonly (number | null)[]): number | null => {
    const known = values.filter((value) => value !== null);
    return known.length === 0 ? null : Math.max(...known);
  };
  const kv = (field: 'planned' | 'resident'): number => Math.max(...measurements.map((m) => m.kvBytes[field]));
  return {
    kvBytes: { planned: kv('planned'), resident: kv('resident') },
    peakBytes: largest(measurements.map((m) => m.peakBytes)),
    rssBytes: largest(measurements.map((m) => m.rssBytes)),
  };
}
