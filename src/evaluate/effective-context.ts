import { invalidArgument } from '../core/errors.ts';
import { Rng } from '../core/rng.ts';
import { betaVariate } from '../core/statistics-beta.ts';
import { nonIncreasingFit } from '../core/statistics-isotonic.ts';
import type { RetrievalOutcome } from './retrieval.ts';

export interface EffectiveContextOptions {
  readonly seed: string | number;
  /** Accuracy that a length has to reach (MoA 1: 0.9). */
  readonly threshold?: number;
  readonly draws?: number;
  readonly level?: number;
}

export interface EffectiveContext {
  /** The largest tested length up to which every tested length reaches the threshold, tokens; 0 if the shortest does not. */
  readonly tokens: number;
  /** Interval, in tested lengths (or 0). */
  readonly low: number;
  readonly high: number;
  /** Whether `high` is the longest length tested: the true value may be beyond it. */
  readonly highIsLimit: boolean;
  readonly threshold: number;
  /** Samples over all lengths. */
  readonly n: number;
  /** Observed accuracy and its non-increasing fit, per tested length. */
  readonly lengths: readonly { readonly tokens: number; readonly correct: number; readonly n: number; readonly fitted: number }[];
}

const DEFAULT_DRAWS = 10_000;

/**
 * Effective context length as an interval. Point: observed accuracies against the threshold. Interval: each draw takes an accuracy per length from
 * its Jeffreys posterior Beta(correct + 1/2, wrong + 1/2) (a resample of samples would have no spread at 10 of 10), makes the curve non-increasing over
 * length (weighted isotonic fit), and notes the largest tested length at or above the threshold; quantiles of the draws are the interval.
 */
export function effectiveContext(outcomes: readonly RetrievalOutcome[], options: EffectiveContextOptions): EffectiveContext {
  const { threshold = 0.9, draws = DEFAULT_DRAWS, level = 0.95 } = options;
  if (outcomes.length === 0) throw invalidArgument('at least one scored sample', 'effectiveContext', outcomes);
  if (!(threshold > 0 && threshold <= 1)) throw invalidArgument('an accuracy in (0, 1]', 'threshold', threshold);
  const counts = countByLength(outcomes);
  const tested = counts.map(({ tokens }) => tokens);
  const weights = counts.map(({ n }) => n);
  const rng = new Rng(options.seed);
  const longest = Array.from({ length: draws }, () => {
    const sampled = counts.map(({ correct, n }) => betaVariate(correct + 0.5, n - correct + 0.5, rng));
    return longestReaching(tested, nonIncreasingFit(sampled, weights), threshold);
  }).sort((a, b) => a - b);
  const observed = counts.map(({ correct, n }) => correct / n);
  const fitted = nonIncreasingFit(observed, weights);
  const tail = (1 - level) / 2;
  const high = longest[Math.min(draws - 1, Math.ceil((1 - tail) * draws) - 1)] as number;
  return {
    tokens: longestReaching(tested, observed, threshold),
    low: longest[Math.floor(tail * draws)] as number,
    high,
    highIsLimit: high === tested.at(-1),
    threshold,
    n: outcomes.length,
    lengths: counts.map((count, index) => ({ ...count, fitted: fitted[index] as number })),
  };
}

function countByLength(outcomes: readonly RetrievalOutcome[]): { tokens: number; correct: number; n: number }[] {
  const counts = new Map<number, { tokens: number; correct: number; n: number }>();
  for (const { targetTokens: tokens, correct } of outcomes) {
    const count = counts.get(tokens) ?? { tokens, correct: 0, n: 0 };
    counts.set(tokens, { tokens, correct: count.correct + (correct ? 1 : 0), n: count.n + 1 });
  }
  return [...counts.values()].sort((a, b) => a.tokens - b.tokens);
}

function longestReaching(tested: readonly number[], accuracies: readonly number[], threshold: number): number {
  const firstMiss = accuracies.findIndex((accuracy) => accuracy < threshold);
  return tested[(firstMiss < 0 ? tested.length : firstMiss) - 1] ?? 0;
}
