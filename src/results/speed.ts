import { median, medianAbsoluteDeviation } from '../core/statistics.ts';
import { logRatioInterval } from '../core/statistics-timing.ts';
import type { RecordOf } from './record.ts';
import type { MethodSummary, Speed } from './summary.ts';

type Measurement = RecordOf<'measurement'>;
type Capacity = RecordOf<'capacity'>;

/** Timings of one method under every condition, each with its speed-up over the baseline's own (non-growing) cache. */
export function summarizeSpeed(own: readonly Measurement[], baseline: readonly Measurement[], seed: string): Speed[] {
  return own.map((timing) => {
    const ms = timing.samplesMs;
    const tokens = timing.batch * (timing.measure === 'prefill' ? timing.contextTokens : timing.newTokens);
    const latency = logRatioInterval(ms, new Array<number>(ms.length).fill(1), { seed, paired: true });
    const rate = (latencyMs: number): number => (1000 * tokens) / latencyMs;
    const reference = baseline.find((other) => other.cache !== 'dynamic' && sameCondition(other, timing));
    return {
      cache: timing.cache,
      contextTokens: timing.contextTokens,
      batch: timing.batch,
      latencyMs: { ...latency, estimate: median(ms) },
      madMs: medianAbsoluteDeviation(ms),
      tokensPerSecond: { estimate: rate(median(ms)), low: rate(latency.high), high: rate(latency.low), n: ms.length },
      speedup: reference === undefined || reference === timing ? null : speedupOf(reference, timing, seed),
      kvBytes: timing.kvBytes,
      peakBytes: timing.peakBytes,
      rssBytes: timing.rssBytes,
    };
  });
}

/** The timing under the hardest condition: the longest context, then the largest batch. */
export function hardest(timings: readonly Speed[]): Speed | undefined {
  return timings.toSorted((a, b) => b.contextTokens - a.contextTokens || b.batch - a.batch)[0];
}

/** Time of the first over time of the second: how many times faster the second is. Rounds taken side by side are compared with each other. */
function speedupOf(slower: Measurement, faster: Measurement, seed: string): Speed['latencyMs'] {
  const perToken = (m: Measurement): readonly number[] => m.samplesMs.map((ms) => ms / Math.max(1, m.newTokens));
  const [a, b] = [perToken(slower), perToken(faster)];
  return logRatioInterval(a, b, { seed, paired: a.length === b.length });
}

/** Largest batches found, with their ratio to the baseline's own cache. */
export function summarizeCapacity(own: readonly Capacity[], baseline: readonly Capacity[]): MethodSummary['maxBatch'] {
  return own.map((capacity) => {
    const reference = baseline.find(
      (other) =>
        other.cache !== 'dynamic' && other.contextTokens === capacity.contextTokens && other.memoryLimitBytes === capacity.memoryLimitBytes,
    );
    const ratio = reference === undefined || reference.maxBatch === 0 ? null : capacity.maxBatch / reference.maxBatch;
    return {
      cache: capacity.cache,
      contextTokens: capacity.contextTokens,
      memoryLimitBytes: capacity.memoryLimitBytes,
      maxBatch: capacity.maxBatch,
      stopped: capacity.stopped,
      ratioToBaseline: reference === capacity ? null : ratio,
    };
  });
}

function sameCondition(a: Measurement, b: Measurement): boolean {
  return a.measure === b.measure && a.contextTokens === b.contextTokens && a.batch === b.batch;
}
