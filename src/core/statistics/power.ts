import { invalidArgument } from '../errors.ts';
import { mcnemarExact } from './proportion.ts';

export interface PowerOptions {
  /** Number of pairs. */
  readonly pairs: number;
  /** Share of pairs that flip by noise in each of the two directions, 0..1/2. */
  readonly background: number;
  /** Two-sided level of the test: 0.05, or what its family leaves of it. */
  readonly alpha?: number;
}

/** Sums of probabilities leave out outcomes less likely than this: together under 1e-9 for a million pairs. */
const NEGLIGIBLE = 1e-15;
/** Halvings of [0, 1]: a difference to within 1e-6, far below the tenth of a point that is printed. */
const BISECTIONS = 20;

/**
 * The least true difference of two paired proportions, 0..1, that the two-sided mid-p McNemar test finds with the wanted power, to within
 * 1e-6. null when it would miss even a total loss: fewer than five pairs can't reach p < 0.05 at all.
 *
 * Unconditional exact power (Duffy 1984, Biometrics 40, 1005): the sum over every significant outcome of its trinomial probability, where
 * a pair is lost with probability background + difference, and gained with probability background. It grows with the difference, as
 * every significant outcome stays one with more losses, so that bisection finds it. No normal approximation: that promises power where
 * the test has none.
 */
export function detectableDifference({ power = 0.8, ...options }: PowerOptions & { readonly power?: number }): number | null {
  const { pairs, background } = options;
  if (!(Number.isInteger(pairs) && pairs > 0)) throw invalidArgument('a positive count', 'pairs', pairs);
  if (!(background >= 0 && background <= 0.5)) throw invalidArgument('a share in [0, 1/2]', 'background', background);
  const powerAt = powerOfPairs(options);
  let high = 1 - 2 * background;
  if (powerAt(high) < power) return null;
  let low = 0;
  for (let i = 0; i < BISECTIONS; i++) {
    const middle = (low + high) / 2;
    if (powerAt(middle) < power) low = middle;
    else high = middle;
  }
  return high;
}

/** Probability that the mid-p McNemar test finds a true loss of `difference`, and finds it a loss. */
export function mcnemarPower(options: PowerOptions & { readonly difference: number }): number {
  return powerOfPairs(options)(options.difference);
}

function powerOfPairs({ pairs, background, alpha = 0.05 }: PowerOptions): (difference: number) => number {
  const most = mostGained(pairs, alpha);
  return (difference) => {
    const loss = Math.min(1, background + difference);
    const gain = loss === 1 ? 0 : Math.min(1, background / (1 - loss)); // of a pair that is not lost
    let power = 0;
    for (const [lost, limit] of most.entries()) {
      if (limit < 0) continue;
      const chance = Math.exp(logBinomial(pairs, lost, loss));
      if (chance > NEGLIGIBLE) power += chance * binomialAtMost(pairs - lost, limit, gain);
    }
    return Math.min(1, power);
  };
}

/** By pairs lost: how many may be gained with the loss still significant; -1 where it is not even without any. */
function mostGained(pairs: number, alpha: number): number[] {
  let gained = -1;
  return Array.from({ length: pairs + 1 }, (_, lost) => {
    while (gained + 1 < lost && gained + 1 + lost <= pairs && mcnemarExact(gained + 1, lost).midP < alpha) gained++;
    return Math.min(gained, pairs - lost);
  });
}

/** P(X <= most), X ~ Binomial(trials, share). */
function binomialAtMost(trials: number, most: number, share: number): number {
  if (most >= trials || share === 0) return 1;
  let sum = 0;
  for (let k = 0; k <= most; k++) {
    const term = Math.exp(logBinomial(trials, k, share));
    sum += term;
    if (term < NEGLIGIBLE && k > trials * share) break; // past the mode terms only fall
  }
  return sum;
}

/** ln P(X = k), X ~ Binomial(trials, share). */
function logBinomial(trials: number, k: number, share: number): number {
  const successes = k === 0 ? 0 : k * Math.log(share);
  const failures = k === trials ? 0 : (trials - k) * Math.log1p(-share);
  return logFactorial(trials) - logFactorial(k) - logFactorial(trials - k) + successes + failures;
}

/** ln n!, each computed once. */
const LOG_FACTORIALS = [0];

function logFactorial(n: number): number {
  for (let i = LOG_FACTORIALS.length; i <= n; i++) LOG_FACTORIALS.push((LOG_FACTORIALS[i - 1] ?? 0) + Math.log(i));
  return LOG_FACTORIALS[n] ?? Number.NaN;
}
