import { invalidArgument } from '../errors.ts';
import { type Interval, wilsonLimits } from './proportion.ts';
import { studentP, studentQuantile } from './student.ts';

/** An estimate with its two-sided 95% interval, or without one where the data allow none. `n`: how many observations stand behind it. */
export type Estimated = Interval | { readonly estimate: number; readonly low: null; readonly high: null; readonly n: number };

/** An estimate that is a sum over independent units, which are drawn within strata (tasks, lengths). */
export interface StratifiedEstimate {
  readonly estimate: number;
  /** [stratum][unit]: what each unit adds to the estimate's error. For a mean it is (value - mean) / count. */
  readonly influences: readonly (readonly number[])[];
  /** Size of the values behind the influences. A spread far below it is rounding. */
  readonly scale: number;
  readonly n: number;
}

/** A sampling variance and the degrees of freedom that it was estimated with. */
export interface Spread {
  readonly variance: number;
  readonly degrees: number;
}

/** Level of the upper quantile of a two-sided interval at 95%. */
const UPPER = 0.975;
/** A standard error below this fraction of `scale` is rounding. */
const ROUNDING = 1e-12;

/**
 * The variance of a stratified estimate with Satterthwaite's degrees of freedom (Satterthwaite 1946, Biometrics Bulletin 2, 110): the
 * variances v of the strata add up, with (sum v)^2 / sum(v^2 / (units - 1)) degrees of freedom. null where a stratum has fewer than
 * `fewest` (>= 2) units, or nothing varies.
 */
export function spreadOf({ influences, scale }: Omit<StratifiedEstimate, 'estimate' | 'n'>, fewest: number): Spread | null {
  if (!(Number.isInteger(fewest) && fewest >= 2)) throw invalidArgument('a count >= 2', 'fewest', fewest);
  let variance = 0;
  let squares = 0;
  for (const stratum of influences) {
    const units = stratum.length;
    if (units < fewest) return null;
    const centre = stratum.reduce((a, b) => a + b, 0) / units;
    const own = (units / (units - 1)) * stratum.reduce((total, influence) => total + (influence - centre) ** 2, 0);
    variance += own;
    squares += own ** 2 / (units - 1);
  }
  return variance > (ROUNDING * scale) ** 2 ? { variance, degrees: variance ** 2 / squares } : null;
}

/** Student's interval of a stratified estimate at 95%; without limits where `spreadOf` gives null. */
export function studentInterval(estimated: StratifiedEstimate, fewest: number): Estimated {
  const spread = spreadOf(estimated, fewest);
  const { estimate, n } = estimated;
  if (spread === null) return { estimate, low: null, high: null, n };
  const half = studentQuantile(UPPER, spread.degrees) * Math.sqrt(spread.variance);
  return { estimate, low: estimate - half, high: estimate + half, n };
}

/**
 * Two-sided p-value of the hypothesis that the true value is 0. It uses the same t as `studentInterval`, so it is below 0.05 where that
 * interval excludes 0. null where `spreadOf` gives null.
 */
export function studentTest(estimated: StratifiedEstimate, fewest: number): number | null {
  const spread = spreadOf(estimated, fewest);
  return spread === null ? null : studentP(estimated.estimate / Math.sqrt(spread.variance), spread.degrees);
}

/**
 * Interval of a mean of values in [0, 1]: Wilson's, with Student's quantile and with the number of trials that would give the variance
 * found. Near 1/2 it is close to Student's interval. Near 0 and 1, where Student's interval is too short and leaves [0, 1], this one keeps
 * its coverage.
 */
export function boundedInterval(estimated: StratifiedEstimate, fewest: number): Estimated {
  const spread = spreadOf(estimated, fewest);
  const { estimate, n } = estimated;
  if (spread === null) return { estimate, low: null, high: null, n };
  const trials = (estimate * (1 - estimate)) / spread.variance;
  return { estimate, ...wilsonLimits(estimate, trials, studentQuantile(UPPER, spread.degrees)), n };
}

/**
 * Fieller's interval of a ratio of two means over the same units (Fieller 1954, JRSS B 16, 175): the ratios r for which own - r * other
 * differs from 0 by no more than Student's t, with the degrees of freedom at the estimated ratio. It has no limits where the denominator is
 * not certain to be above 0. null where the estimate of the denominator is not above 0.
 */
export function fiellerInterval(own: StratifiedEstimate, other: StratifiedEstimate, fewest: number): Estimated | null {
  if (!(other.estimate > 0)) return null;
  const ratio = own.estimate / other.estimate;
  const { n } = own;
  const point = { estimate: ratio, low: null, high: null, n } as const;
  const along = (r: number): Pick<StratifiedEstimate, 'influences' | 'scale'> => ({
    influences: own.influences.map((stratum, s) => stratum.map((influence, u) => influence - r * (other.influences[s]?.[u] ?? Number.NaN))),
    scale: own.scale + Math.abs(r) * other.scale,
  });
  const spread = spreadOf(along(ratio), fewest);
  if (spread === null) return point;
  const t2 = studentQuantile(UPPER, spread.degrees) ** 2;
  // The variance of own - r * other is a quadratic in r: three values of it give its coefficients.
  const variance = (r: number): number => spreadOf(along(r), fewest)?.variance ?? 0;
  const [atZero, atPlus, atMinus] = [variance(0), variance(1), variance(-1)];
  const ofOther = (atPlus + atMinus) / 2 - atZero;
  const shared = (atMinus - atPlus) / 4;
  const square = other.estimate ** 2 - t2 * ofOther;
  const linear = own.estimate * other.estimate - t2 * shared;
  const constant = own.estimate ** 2 - t2 * atZero;
  const discriminant = linear ** 2 - square * constant;
  if (square <= 0 || discriminant < 0) return point;
  const half = Math.sqrt(discriminant) / square;
  return { estimate: ratio, low: linear / square - half, high: linear / square + half, n };
}
