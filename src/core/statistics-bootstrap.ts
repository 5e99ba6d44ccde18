import { invalidArgument } from './errors.ts';
import { Rng } from './rng.ts';
import { sortedQuantile } from './statistics.ts';
import { normalCdf, normalQuantile } from './statistics-normal.ts';
import type { Interval } from './statistics-proportion.ts';

export interface BootstrapOptions {
  /** Equal seeds give equal intervals. */
  readonly seed: string | number;
  readonly resamples?: number;
  /** Two-sided confidence. */
  readonly level?: number;
  /** `bca`: bias-corrected and accelerated (Efron 1987), the default; `percentile`: plain quantiles. */
  readonly method?: 'bca' | 'percentile';
}

/** Independent units of one stratum: `columns[c][unit]`. A statistic sees only the sum of each column over the resampled units. */
export type Stratum = readonly Float64Array[];

/** From `sums[stratum][column]` to one number. */
export type SumStatistic = (sums: readonly Float64Array[]) => number;

const DEFAULT_RESAMPLES = 10_000;

/**
 * Bootstrap interval of a statistic of column sums; units are drawn with replacement within each stratum. Means, ratios of means, cluster
 * means and macro averages over tasks are all of this kind. `n` is the number of units. Throws INVALID_ARGUMENT for an empty stratum.
 */
export function bootstrapSums(strata: readonly Stratum[], statistic: SumStatistic, options: BootstrapOptions): Interval {
  const { resamples = DEFAULT_RESAMPLES, level = 0.95, method = 'bca' } = options;
  if (!(Number.isInteger(resamples) && resamples >= 1)) throw invalidArgument('a count >= 1', 'resamples', resamples);
  if (!(level > 0 && level < 1)) throw invalidArgument('a confidence in (0, 1)', 'level', level);
  for (const stratum of strata) if (unitsOf(stratum) === 0) throw invalidArgument('at least one unit', 'every stratum', 0);
  const estimate = statistic(strata.map(totals));
  const draws = resample(strata, statistic, { resamples, rng: new Rng(options.seed) });
  const tail = (1 - level) / 2;
  const [lowLevel, highLevel] = method === 'bca' ? adjustedLevels({ strata, statistic, draws, estimate, tail }) : [tail, 1 - tail];
  const n = strata.reduce((total, stratum) => total + unitsOf(stratum), 0);
  return { estimate, low: sortedQuantile(draws, lowLevel), high: sortedQuantile(draws, highLevel), n };
}

/** Columns of per-cluster sums of each value list, then the cluster sizes: a stratum whose units are clusters, in order of first appearance. */
export function clusterColumns(lists: readonly (readonly number[])[], clusters: readonly string[]): Float64Array[] {
  for (const list of lists) {
    if (list.length !== clusters.length)
      throw invalidArgument('two lists of the same length', 'clusterColumns', [list.length, clusters.length]);
  }
  const index = new Map<string, number>();
  for (const cluster of clusters) if (!index.has(cluster)) index.set(cluster, index.size);
  const columns = Array.from({ length: lists.length + 1 }, () => new Float64Array(index.size));
  clusters.forEach((cluster, i) => {
    const unit = index.get(cluster) as number;
    lists.forEach((list, c) => {
      (columns[c] as Float64Array)[unit] = ((columns[c] as Float64Array)[unit] as number) + (list[i] as number);
    });
    const sizes = columns[lists.length] as Float64Array;
    sizes[unit] = (sizes[unit] as number) + 1;
  });
  return columns;
}

interface ResampleOptions {
  readonly resamples: number;
  readonly rng: Rng;
}

/** Sorted bootstrap replicates. */
function resample(strata: readonly Stratum[], statistic: SumStatistic, { resamples, rng }: ResampleOptions): Float64Array {
  const draws = new Float64Array(resamples);
  const sums = strata.map((stratum) => new Float64Array(stratum.length));
  for (let b = 0; b < resamples; b++) {
    for (let s = 0; s < strata.length; s++) drawSums(strata[s] as Stratum, sums[s] as Float64Array, rng);
    draws[b] = statistic(sums);
  }
  return draws.sort();
}

function drawSums(stratum: Stratum, sums: Float64Array, rng: Rng): void {
  const units = unitsOf(stratum);
  sums.fill(0);
  for (let draw = 0; draw < units; draw++) {
    // Lemire's multiply-shift; its bias is below units / 2^32.
    const unit = Math.floor((rng.uint32() / 4294967296) * units);
    for (let c = 0; c < stratum.length; c++) sums[c] = (sums[c] as number) + ((stratum[c] as Float64Array)[unit] as number);
  }
}

interface BcaInput {
  readonly strata: readonly Stratum[];
  readonly statistic: SumStatistic;
  readonly draws: Float64Array;
  readonly estimate: number;
  readonly tail: number;
}

/** BCa levels: Phi(z0 + (z0 + z) / (1 - a (z0 + z))) (Efron 1987), ties of the replicates with the estimate counted half. */
function adjustedLevels({ strata, statistic, draws, estimate, tail }: BcaInput): [number, number] {
  let below = 0;
  for (const draw of draws) below += draw < estimate ? 1 : draw === estimate ? 0.5 : 0;
  const share = Math.min(Math.max(below / draws.length, 0.5 / draws.length), 1 - 0.5 / draws.length);
  const bias = normalQuantile(share);
  const a = acceleration(strata, statistic, estimate);
  const level = (z: number): number => {
    const shifted = bias + z;
    const denominator = 1 - a * shifted;
    return denominator <= 0 ? (shifted > 0 ? 1 : 0) : normalCdf(bias + shifted / denominator);
  };
  const z = normalQuantile(tail);
  return [level(z), level(-z)];
}

/** Acceleration from the jackknife; influences of a stratum of n units are scaled by 1/n (Davison & Hinkley 1997, 5.3). */
function acceleration(strata: readonly Stratum[], statistic: SumStatistic, estimate: number): number {
  const sums = strata.map(totals);
  let cubes = 0;
  let squares = 0;
  strata.forEach((stratum, s) => {
    const units = unitsOf(stratum);
    if (units === 1) return;
    const whole = sums[s] as Float64Array;
    const influences = new Float64Array(units);
    for (let unit = 0; unit < units; unit++) {
      sums[s] = whole.map((total, c) => total - ((stratum[c] as Float64Array)[unit] as number));
      influences[unit] = ((units - 1) * (estimate - statistic(sums))) / units;
    }
    sums[s] = whole;
    const centre = influences.reduce((x, y) => x + y, 0) / units;
    for (const influence of influences) {
      squares += (influence - centre) ** 2;
      cubes += (influence - centre) ** 3;
    }
  });
  const a = cubes / (6 * squares ** 1.5);
  return Number.isFinite(a) ? a : 0;
}

function totals(stratum: Stratum): Float64Array {
  return Float64Array.from(stratum, (column) => column.reduce((a, b) => a + b, 0));
}

function unitsOf(stratum: Stratum): number {
  return stratum[0]?.length ?? 0;
}
