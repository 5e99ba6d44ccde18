import { invalidArgument } from '../errors.ts';

/** Maximum number of terms of the continued fraction, which converges in about sqrt(max(a, b)) of them (Numerical Recipes 6.4). */
const TERMS = 500;
/** Stands for a zero denominator in Lentz's method. */
const TINY = 1e-300;

/** Distribution function of Student's t with `df` > 0 degrees of freedom, which need not be whole. */
export function studentCdf(t: number, df: number): number {
  if (!(df > 0)) throw invalidArgument('degrees of freedom above 0', 'studentCdf', df);
  if (Number.isNaN(t)) throw invalidArgument('a number', 'studentCdf', t);
  const tail = 0.5 * regularizedBeta(df / (df + t * t), df / 2, 0.5);
  return t > 0 ? 1 - tail : tail;
}

/** Two-sided p-value of a t statistic. */
export function studentP(t: number, df: number): number {
  return 2 * studentCdf(-Math.abs(t), df);
}

/** Known quantiles, by "p/df": reports and simulations ask for the same few again and again. */
const quantiles = new Map<string, number>();

/** The t with studentCdf(t, df) = p, for p in (0, 1). */
export function studentQuantile(p: number, df: number): number {
  if (!(p > 0 && p < 1)) throw invalidArgument('a probability in (0, 1)', 'studentQuantile', p);
  if (p === 0.5) return 0;
  if (p > 0.5) return -studentQuantile(1 - p, df);
  const key = `${p}/${df}`;
  const quantile = quantiles.get(key) ?? bisect(p, df);
  quantiles.set(key, quantile);
  return quantile;
}

function bisect(p: number, df: number): number {
  let low = -1;
  while (studentCdf(low, df) > p) low *= 2;
  let high = 0;
  // Bisection cannot fail, because the function is monotone. 100 halvings go below the spacing of doubles.
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2;
    if (studentCdf(middle, df) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** Regularized incomplete beta function I_x(a, b), by its continued fraction (Abramowitz & Stegun 26.5.8). */
function regularizedBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  // The fraction converges fast below this point; above, I_x(a, b) = 1 - I_(1-x)(b, a).
  if (x > (a + 1) / (a + b + 2)) return 1 - regularizedBeta(1 - x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x)) / a;
  return front * betaFraction(x, a, b);
}

/** Lentz's method; the odd and even terms of A&S 26.5.8. */
function betaFraction(x: number, a: number, b: number): number {
  let c = 1;
  let d = 1 / away(1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1; m <= TERMS; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    for (const term of [even, odd]) {
      d = 1 / away(1 + term * d);
      c = away(1 + term / c);
      fraction *= c * d;
    }
    if (Math.abs(c * d - 1) < 1e-15) break;
  }
  return fraction;
}

function away(value: number): number {
  return Math.abs(value) < TINY ? TINY : value;
}

/** log of the gamma function for x > 0: Stirling's series for x >= 10; the recurrence takes a smaller x there. */
function logGamma(x: number): number {
  let shift = 0;
  let at = x;
  for (; at < 10; at++) shift += Math.log(at);
  const inverse = 1 / (at * at);
  const series = (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse * (1 / 1680 - inverse / 1188)))) / at;
  return (at - 0.5) * Math.log(at) - at + 0.5 * Math.log(2 * Math.PI) + series - shift;
}
