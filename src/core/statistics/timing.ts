import { invalidArgument } from '../errors.ts';
import { mean, standardDeviation } from './descriptive.ts';
import { LEAST_SIGNED_RANK, pseudomedian, signedRankInterval, signedRankP } from './signed-rank.ts';
import { studentP, studentQuantile } from './student.ts';

/** Timings of one contender, all > 0: [process][round]. Timings of two contenders at the same place were taken side by side. */
export type Timings = readonly (readonly number[])[];

/** Fewest rounds, over all processes, for a statement about speed: fewer have no signed-rank interval at 95%. */
export const LEAST_ROUNDS = LEAST_SIGNED_RANK;

/** A typical time, in the unit of its timings, or a ratio of two; with its interval. */
export interface TimingEstimate {
  readonly estimate: number;
  /** 95% interval; null where the data allow none: one process with fewer than 6 rounds, or several processes without any variance. */
  readonly low: number | null;
  readonly high: number | null;
  readonly processes: number;
  /** In all processes together. */
  readonly rounds: number;
}

/** A ratio of two typical times, numerator / denominator, with its interval and test. */
export interface TimingRatio extends TimingEstimate {
  /** Two-sided p-value of the hypothesis that the ratio is 1, by the test that belongs to the interval; null without an interval. */
  readonly p: number | null;
}

/**
 * The typical time of a contender, in the unit of its timings: the pseudomedian of the log times of each process, averaged over processes,
 * then exponentiated. Every statement about a speed (table, chart, ratio, sentence) uses this one number, so that no two of them can rank
 * contenders differently.
 */
export function typicalTime(timings: Timings, level = 0.95): TimingEstimate {
  const logs = logarithms(timings);
  const centres = logs.map(pseudomedian);
  const [only] = logs;
  const around = logs.length === 1 && only !== undefined ? signedRankInterval(only, level) : meanInterval(centres, level);
  return estimateOf(logs, mean(centres), around);
}

/**
 * Ratio of two typical times, numerator / denominator. With several processes, the process is the statistical unit: the interval is the t
 * interval of the mean of their log ratios, so it includes what differs between processes (memory layout, clocks). With one process, it is
 * the exact signed-rank interval of the paired log ratios of the rounds. That interval holds for this process only, and is widened where
 * the ratio of typical times lies outside it.
 */
export function timingRatio(numerator: Timings, denominator: Timings, level = 0.95): TimingRatio {
  if (numerator.length !== denominator.length || numerator.some((rounds, p) => rounds.length !== denominator[p]?.length)) {
    const shape = (timings: Timings): number[] => timings.map((rounds) => rounds.length);
    throw invalidArgument('as many rounds in every process', 'the two sides of a ratio', [shape(numerator), shape(denominator)]);
  }
  const [over, under] = [logarithms(numerator), logarithms(denominator)];
  const centres = over.map((logs, p) => pseudomedian(logs) - pseudomedian(under[p] as number[]));
  const estimate = mean(centres);
  if (centres.length > 1) return { ...estimateOf(over, estimate, meanInterval(centres, level)), p: meanP(centres) };
  const pairs = (over[0] as number[]).map((value, round) => value - (under[0]?.[round] as number));
  const around = signedRankInterval(pairs, level);
  const widened = around && { low: Math.min(around.low, estimate), high: Math.max(around.high, estimate) };
  return { ...estimateOf(over, estimate, widened), p: around && signedRankP(pairs) };
}

/** As `timingRatio`, for the paired timings of one process. */
export function pairedRatio(numerator: readonly number[], denominator: readonly number[], level = 0.95): TimingRatio {
  return timingRatio([numerator], [denominator], level);
}

/**
 * Whether a ratio is shown to lie within [1 / bound, bound]: two one-sided tests at 5% (Schuirmann 1987), which means that its 90% interval
 * lies there. null without an interval.
 */
export function isEquivalent(numerator: Timings, denominator: Timings, bound: number): boolean | null {
  const { low, high } = timingRatio(numerator, denominator, 0.9);
  return low === null || high === null ? null : low >= 1 / bound && high <= bound;
}

function estimateOf(logs: Timings, centre: number, around: { readonly low: number; readonly high: number } | null): TimingEstimate {
  return {
    estimate: Math.exp(centre),
    low: around && Math.exp(around.low),
    high: around && Math.exp(around.high),
    processes: logs.length,
    rounds: logs.reduce((sum, rounds) => sum + rounds.length, 0),
  };
}

/** t interval of a mean; null where all values are equal, because an interval of no width would be wrong. */
function meanInterval(values: readonly number[], level: number): { readonly low: number; readonly high: number } | null {
  const deviation = standardDeviation(values);
  if (deviation === 0) return null;
  const half = (studentQuantile((1 + level) / 2, values.length - 1) * deviation) / Math.sqrt(values.length);
  return { low: mean(values) - half, high: mean(values) + half };
}

function meanP(values: readonly number[]): number | null {
  const deviation = standardDeviation(values);
  return deviation === 0 ? null : studentP((mean(values) * Math.sqrt(values.length)) / deviation, values.length - 1);
}

function logarithms(timings: Timings): number[][] {
  if (timings.length === 0) throw invalidArgument('at least one process', 'timings', timings);
  return timings.map((rounds) => {
    if (rounds.length === 0) throw invalidArgument('at least one round in every process', 'timings', rounds);
    return rounds.map((value) => {
      if (!(value > 0 && Number.isFinite(value))) throw invalidArgument('positive finite values', 'timings', value);
      return Math.log(value);
    });
  });
}
