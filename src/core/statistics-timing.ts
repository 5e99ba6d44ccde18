import { invalidArgument } from './errors.ts';
import { Rng } from './rng.ts';
import { median, sortedQuantile } from './statistics.ts';
import type { Interval } from './statistics-proportion.ts';

export interface RatioOptions {
  /** Equal seeds give equal intervals. */
  readonly seed: string | number;
  readonly resamples?: number;
  /** Two-sided confidence. */
  readonly level?: number;
  /** Whether the two lists are matched by position (interleaved runs): pairs are then resampled together. */
  readonly paired?: boolean;
}

const DEFAULT_RESAMPLES = 2000;

/**
 * Interval of the ratio numerator / denominator of two lists of timings (or rates), all > 0. Works on logarithms, so that a/b and b/a agree:
 * unpaired exp(median log a - median log b), paired exp(median log(a/b)); percentile bootstrap. `n` is the shorter list's length.
 */
export function logRatioInterval(numerator: readonly number[], denominator: readonly number[], options: RatioOptions): Interval {
  const { resamples = DEFAULT_RESAMPLES, level = 0.95, paired = false } = options;
  const a = logarithms(numerator, 'numerator');
  const b = logarithms(denominator, 'denominator');
  if (paired && a.length !== b.length) throw invalidArgument('two lists of the same length', 'paired timings', [a.length, b.length]);
  const rng = new Rng(options.seed);
  const draws = new Float64Array(resamples);
  const ratios = a.map((value, index) => value - (b[index] ?? Number.NaN));
  const estimate = paired ? median(ratios) : median(a) - median(b);
  for (let draw = 0; draw < resamples; draw++) {
    draws[draw] = paired ? median(redraw(ratios, rng)) : median(redraw(a, rng)) - median(redraw(b, rng));
  }
  draws.sort();
  const tail = (1 - level) / 2;
  return {
    estimate: Math.exp(estimate),
    low: Math.exp(sortedQuantile(draws, tail)),
    high: Math.exp(sortedQuantile(draws, 1 - tail)),
    n: Math.min(a.length, b.length),
  };
}

function redraw(values: readonly number[], rng: Rng): number[] {
  return values.map(() => values[rng.int(0, values.length - 1)] as number);
}

function logarithms(values: readonly number[], name: string): number[] {
  if (values.length === 0) throw invalidArgument('at least one value', name, values);
  return values.map((value) => {
    if (!(value > 0 && Number.isFinite(value))) throw invalidArgument('positive finite values', name, value);
    return Math.log(value);
  });
}
