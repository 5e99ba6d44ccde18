import { bootstrapSums, clusterColumns, type SumStatistic } from '../core/statistics-bootstrap.ts';
import type { Interval } from '../core/statistics-proportion.ts';

/** Bootstrap resamples: the limits then wander by some 3% of the interval's width, and a report takes seconds. */
export const RESAMPLES = 2000;

export interface StratifiedOptions<T> {
  /** Tasks or lengths; none empty. */
  readonly strata: readonly (readonly T[])[];
  /** What is summed of every sample. */
  readonly columns: readonly ((sample: T) => number)[];
  /** From `sums[stratum][column]`, with the number of samples as last column. */
  readonly statistic: SumStatistic;
  readonly seed: string;
}

/** BCa bootstrap interval of a statistic of sums; whole clusters are drawn, within strata. `n` counts samples. */
export function stratifiedInterval<T extends { readonly cluster: string }>(options: StratifiedOptions<T>): Interval {
  const { strata, columns, statistic, seed } = options;
  const sums = strata.map((samples) =>
    clusterColumns(
      columns.map((column) => samples.map(column)),
      samples.map(({ cluster }) => cluster),
    ),
  );
  const n = strata.reduce((total, samples) => total + samples.length, 0);
  return { ...bootstrapSums(sums, statistic, { seed, resamples: RESAMPLES }), n };
}

/** The mean over strata of a column's mean: every task, or length, weighs the same. */
export function meanOfMeans(sums: readonly Float64Array[], column = 0): number {
  return sums.reduce((total, stratum) => total + (stratum[column] as number) / (stratum.at(-1) as number), 0) / sums.length;
}
