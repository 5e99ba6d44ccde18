import { invalidArgument } from '../core/errors.ts';
import { Rng } from '../core/rng.ts';
import { betaVariate } from '../core/statistics/beta.ts';
import { nonIncreasingFit } from '../core/statistics/isotonic.ts';

/** Share of right answers at one length in tokens; `trials` > 0: how many independent ones it is worth. */
export interface LengthShare {
  readonly length: number;
  readonly share: number;
  readonly trials: number;
}

export interface EffectiveContext {
  /** Accuracy that a length has to reach (MoA section 1: 0.9). */
  readonly threshold: number;
  /** The largest tested length up to which every tested length reaches the threshold, tokens; 0 if the shortest does not. */
  readonly tokens: number;
  /** 95% interval, in tested lengths (or 0); it holds `tokens`. */
  readonly low: number;
  readonly high: number;
  /** Where `high` equals it, the true value may be larger. */
  readonly longestTested: number;
}

/** Quantiles at 2.5% have 25 draws beyond them, which is enough among a handful of tested lengths. */
const DRAWS = 1000;
const TAIL = 0.025;

/**
 * Effective context length as an interval. The point compares the observed accuracies with the threshold. For the interval, each draw takes
 * an accuracy per length from its Jeffreys posterior Beta(correct + 1/2, wrong + 1/2), because a resample of samples would have no spread
 * at 10 of 10. It makes the curve non-increasing over length (weighted isotonic fit), and notes the largest tested length at or above the
 * threshold. Quantiles of the draws are the interval. It is widened to hold the point where an early dip of the observed curve puts the
 * point outside.
 */
export function effectiveContext(
  counts: readonly LengthShare[],
  options: { readonly threshold: number; readonly seed: string },
): EffectiveContext {
  const { threshold, seed } = options;
  if (counts.length === 0) throw invalidArgument('at least one length', 'effectiveContext', counts);
  if (!(threshold > 0 && threshold <= 1)) throw invalidArgument('an accuracy in (0, 1]', 'threshold', threshold);
  const sorted = counts.toSorted((a, b) => a.length - b.length);
  const weights = sorted.map(({ trials }) => trials);
  const reaching = (accuracies: readonly number[]): number => {
    const miss = accuracies.findIndex((accuracy) => accuracy < threshold);
    return sorted[(miss < 0 ? sorted.length : miss) - 1]?.length ?? 0;
  };
  const rng = new Rng(seed);
  const draws = Array.from({ length: DRAWS }, () => {
    const drawn = sorted.map(({ share, trials }) => betaVariate(share * trials + 0.5, (1 - share) * trials + 0.5, rng));
    return reaching(nonIncreasingFit(drawn, weights));
  }).sort((a, b) => a - b);
  const tokens = reaching(sorted.map(({ share }) => share));
  return {
    threshold,
    tokens,
    low: Math.min(tokens, draws[Math.floor(TAIL * DRAWS)] as number),
    high: Math.max(tokens, draws[Math.ceil((1 - TAIL) * DRAWS) - 1] as number),
    longestTested: sorted.at(-1)?.length ?? 0,
  };
}
