import { mean } from '../../../src/core/statistics/descriptive.ts';

/** Python's `round(value, 2)`: correctly rounded from the exact binary value; only odd multiples of 1/8 are exact ties, which go to even. */
export function roundToCents(value: number): number {
  const eighths = value * 8;
  if (!Number.isInteger(eighths) || eighths % 2 === 0) return Number(value.toFixed(2));
  const below = Math.floor(value * 100);
  return (below % 2 === 0 ? below : below + 1) / 100;
}

/** LongBench's `scorer`: mean score x 100, rounded to two decimals. */
export function longBenchScore(scores: readonly number[]): number {
  return roundToCents(100 * mean(scores));
}

/** LongBench-E's `scorer_e`: as `longBenchScore` per bucket of the dataset's `length` field in words; null for an empty bucket (official: NaN). */
export function longBenchScoreByLength(scores: readonly number[], lengths: readonly number[]): Record<string, number | null> {
  const bucket = (from: number, to: number): number | null => {
    const members = scores.filter((_, i) => (lengths[i] as number) >= from && (lengths[i] as number) < to);
    return members.length === 0 ? null : longBenchScore(members);
  };
  return { '0-4k': bucket(0, 4000), '4-8k': bucket(4000, 8000), '8k+': bucket(8000, Number.POSITIVE_INFINITY) };
}
