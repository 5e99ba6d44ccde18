import { invalidArgument } from '../errors.ts';
import { mean, standardDeviation } from './descriptive.ts';
import { LEAST_SIGNED_RANK, pseudomedian, signedRankInterval, signedRankP } from './signed-rank.ts';
import { studentP, studentQuantile } from './student.ts';

/** Timings of one contender, all > 0: [process][round]. Equal places of two contenders were taken side by side. */
export type Timings = readonly (readonly number[])[];

/** Rounds in all below which nothing is said about speed: fewer have no signed-rank interval at 95%. */
export const LEAST_ROUNDS = LEAST_SIGNED_RANK;

export interface TimingEstimate {
  readonly estimate: number;
  /** 95% interval; null where there is too little to have one: one process of fewer than 6 rounds, or processes without any variance. */
  readonly low: number | null;
  readonly high: number | null;
  readonly processes: number;
  /** In all processes together. */
  readonly rounds: number;
}

export interface TimingRatio extends TimingEstimate {
  /** Two-sided, of a ratio of 1, by the test that belongs to the interval; null without one. */
  readonly p: number | null;
}

/**
 * The typical time of a contender: exp of the mean over processes of the pseudomedian over rounds of log time. Everything that is said about a
 * speed (tables, charts, ratios, sentences) is made of this one number, so that no two of them can rank contenders differently.
 */
export function typicalTime(timings: Timings, level = 0.95): TimingEstimate {
  const logs = logarithms(timings);
  const centres = logs.map(pseudomedian);
  const [only] = logs;
  const around = logs.length === 1 && only !== undefined ? signedRankInterval(only, level) : meanInterval(centres, level);
  return estimateOf(logs, mean(centres), around);
}

/**
 * Ratio of two typical times, numerator / denominator. With several processes the process is the unit: t interval of the mean of their log
 * ratios, which covers what differs between processes (memory layout, clocks). With one, the exact signed-rank interval of the paired log
 * ratios of its rounds: it speaks of this process only, and is widened where the ratio of typical times lies outside.
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

/** As `timingRatio`, of paired timings of one process. */
export function pairedRatio(numerator: readonly number[], denominator: readonly number[], level = 0.95): TimingRatio {
  return timingRatio([numerator], [denominator], level);
}

/** Whether a ratio is shown to lie within [1 / bound, bound]: two one-sided tests at 5% (Schuirmann 1987), so by its 90% interval. */
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

/** t interval of a mean; null without variance, which no interval of measurements has. */
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
