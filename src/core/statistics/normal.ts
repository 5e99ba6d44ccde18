import { invalidArgument } from '../errors.ts';

const SQRT_2PI = Math.sqrt(2 * Math.PI);
/** For |x| beyond this, the continued fraction is used: it converges fast there, while 0.5 - series would cancel. */
const TAIL = 2;
/** Terms of the continued fraction: its error at x = TAIL is about exp(-2 x sqrt(2 TERMS)), below 1e-20. */
const TERMS = 100;

/** Standard normal distribution function, relative error about 1e-14 in both tails. */
export function normalCdf(x: number): number {
  if (Number.isNaN(x)) throw invalidArgument('a number', 'normalCdf', x);
  if (x === 0) return 0.5;
  if (Math.abs(x) > TAIL) return x > 0 ? 1 - upperTail(x) : upperTail(-x);
  // Phi(x) = 1/2 + phi(x) (x + x^3/3 + x^5/(3*5) + ...)
  let term = x;
  let total = x;
  for (let k = 3; Math.abs(term) > Math.abs(total) * 1e-17; k += 2) {
    term *= (x * x) / k;
    total += term;
  }
  return 0.5 + density(x) * total;
}

/** Standard normal quantile: the x with normalCdf(x) = p. -Infinity at 0, Infinity at 1. */
export function normalQuantile(p: number): number {
  if (!(p >= 0 && p <= 1)) throw invalidArgument('a probability in [0, 1]', 'normalQuantile', p);
  if (p === 0.5) return 0;
  if (p === 0) return Number.NEGATIVE_INFINITY;
  if (p === 1) return Number.POSITIVE_INFINITY;
  if (p > 0.5) return -normalQuantile(1 - p);
  let low = -40;
  let high = 0;
  // Bisection cannot fail, because the function is monotone. 100 halvings go below the spacing of doubles.
  for (let i = 0; i < 100 && low < high; i++) {
    const middle = (low + high) / 2;
    if (normalCdf(middle) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

function density(x: number): number {
  return Math.exp((-x * x) / 2) / SQRT_2PI;
}

/** 1 - Phi(x) for x > TAIL, by the continued fraction phi(x) / (x + 1/(x + 2/(x + 3/...))). */
function upperTail(x: number): number {
  if (!Number.isFinite(x)) return 0;
  let fraction = x;
  for (let k = TERMS; k >= 1; k--) fraction = x + k / fraction;
  return density(x) / fraction;
}
