import { invalidArgument } from '../errors.ts';
import { mcnemarExact } from './proportion.ts';

export interface PowerOptions {
  /** Number of pairs. */
  readonly pairs: number;
  /** Share of pairs that flip by noise in each of the two directions, 0..1/2. */
  readonly background: number;
  /** Two-sided level of the test. Default: 0.05; smaller for a test of an adjusted family. */
  readonly alpha?: number;
}

/** Sums of probabilities leave out outcomes less likely than this: together under 1e-9 for a million pairs. */
const NEGLIGIBLE = 1e-15;
/** Halvings of [0, 1]: a difference to within 1e-6, far below the tenth of a point that is printed. */
const BISECTIONS = 20;

/**
 * The least true difference of two paired proportions, 0..1, that the two-sided mid-p McNemar test finds with the wanted power, to within
 * 1e-6. null when the test would miss even a total loss: fewer than five pairs can't reach p < 0.05 at all.
 *
 * The power is unconditional and exact (Duffy 1984, Biometrics 40, 1005): the sum of the trinomial probabilities of all significant
 * outcomes, where a pair is lost with probability background + difference, and gained with probability background. The power grows with the
 * difference, because a significant outcome stays significant with more losses; so bisection finds the difference. A normal approximation
 * is not used: it promises power where the test has none.
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

/** Probability that the mid-p McNemar test is significant for a true loss of `difference`, and in the direction of a loss. */
export function mcnemarPower(options: PowerOptions & { readonly difference: number }): number {
  return powerOfPairs(options)(options.difference);
}

function powerOfPairs({ pairs, background, alpha = 0.05 }: PowerOptions): (difference: number) => number {
  const most = mostGained(pairs, alpha);
  return (difference) => {
    const loss = Math.min(1, background + difference);
    const gain = loss === 1 ? 0 : Math.min(1, background / (1 - loss)); // probability that a pair that is not lost is gained
    let power = 0;
    for (const [lost, limit] of most.entries()) {
      if (limit < 0) continue;
      const chance = Math.exp(logBinomial(pairs, lost, loss));
      if (chance > NEGLIGIBLE) power += chance * binomialAtMost(pairs - lost, limit, gain);
    }
    return Math.min(1, power);
  };
}

/**
 * Entry [lost]: the most gained pairs with which so many lost pairs are still significant; -1 where they are not significant even without
 * gains.
 */
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
    if (term < NEGLIGIBLE && k > trials * share) break; // beyond the mode, terms only fall
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
