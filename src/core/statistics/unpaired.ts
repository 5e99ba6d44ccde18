import { mean } from './descriptive.ts';
import { pseudomedian } from './signed-rank.ts';
import { studentInterval, studentTest } from './strata.ts';
import type { Timings } from './timing.ts';

/** Fewest processes a side: of two, the spread is known so badly that an interval is too wide to say anything. */
export const LEAST_PROCESSES = 3;

export interface UnpairedRatio {
  readonly estimate: number;
  /** 95% interval; null below three processes a side, or where nothing varies. */
  readonly low: number | null;
  readonly high: number | null;
  /** Two-sided, of a ratio of 1; null without an interval. */
  readonly p: number | null;
}

/**
 * Ratio of the typical times of two runs, numerator / denominator, that were not timed side by side: nothing pairs their rounds or processes. A process is one
 * observation, its typical log time; Welch's t for two means with variances of their own (Welch 1947, Biometrika 34, 28), which is the stratified t with a run
 * for a stratum. It covers what differs between the processes of a run; what a whole run has of its own (another day, another neighbour) is in no process.
 */
export function unpairedRatio(numerator: Timings, denominator: Timings): UnpairedRatio {
  const [over, under] = [typicalLogs(numerator), typicalLogs(denominator)];
  const difference = {
    estimate: mean(over) - mean(under),
    influences: [over.map((log) => log / over.length), under.map((log) => -log / under.length)],
    scale: Math.abs(mean(over)) + Math.abs(mean(under)),
    n: over.length + under.length,
  };
  const { estimate, low, high } = studentInterval(difference, LEAST_PROCESSES);
  return {
    estimate: Math.exp(estimate),
    low: low === null ? null : Math.exp(low),
    high: high === null ? null : Math.exp(high),
    p: studentTest(difference, LEAST_PROCESSES),
  };
}

function typicalLogs(timings: Timings): number[] {
  return timings.map((rounds) => pseudomedian(rounds.map(Math.log)));
}
