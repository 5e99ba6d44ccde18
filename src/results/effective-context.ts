import { Rng } from '../core/rng.ts';
import { quantile } from '../core/statistics.ts';
import type { MethodSummary } from './summary.ts';

type EffectiveContext = NonNullable<MethodSummary['retrieval']>['effectiveContext'];

export interface LengthCount {
  readonly length: number;
  readonly correct: number;
  readonly n: number;
}

const DRAWS = 1000;

/**
 * The longest tested length up to which accuracy holds the threshold. The interval is over Jeffreys posteriors Beta(correct + 1/2,
 * wrong + 1/2) of every length, made non-increasing with length (isotonic), 2.5% and 97.5% quantiles: a bootstrap could not say that
 * 20 right answers of 20 do not prove 0.9.
 */
export function effectiveContextOf(counts: readonly LengthCount[], threshold: number, seed: string): EffectiveContext {
  const sorted = [...counts].sort((a, b) => a.length - b.length);
  const rng = new Rng(seed);
  const longest = (accuracies: readonly number[]): number => {
    const fail = accuracies.findIndex((accuracy) => accuracy < threshold);
    return sorted[(fail < 0 ? sorted.length : fail) - 1]?.length ?? 0;
  };
  const weights = sorted.map(({ n }) => n);
  const draws = Array.from({ length: DRAWS }, () =>
    longest(
      nonIncreasing(
        sorted.map(({ correct, n }) => betaDraw(correct + 0.5, n - correct + 0.5, rng)),
        weights,
      ),
    ),
  );
  const nearest = (level: number, round: (x: number) => number): number => round(quantile(draws, level));
  return {
    threshold,
    tokens: longest(sorted.map(({ correct, n }) => correct / n)),
    low: snap(nearest(0.025, Math.floor), sorted, 'down'),
    high: snap(nearest(0.975, Math.ceil), sorted, 'up'),
    longestTested: sorted.at(-1)?.length ?? 0,
  };
}

/** Quantiles between two tested lengths go to the outer one. */
function snap(tokens: number, sorted: readonly LengthCount[], to: 'up' | 'down'): number {
  const lengths = [0, ...sorted.map(({ length }) => length)];
  return (to === 'down' ? lengths.findLast((length) => length <= tokens) : lengths.find((length) => length >= tokens)) ?? 0;
}

/** Weighted least-squares fit that never rises (pool adjacent violators). */
export function nonIncreasing(values: readonly number[], weights: readonly number[]): number[] {
  const pools: { value: number; weight: number; count: number }[] = [];
  values.forEach((value, i) => {
    let pool = { value, weight: weights[i] as number, count: 1 };
    for (let last = pools.at(-1); last !== undefined && last.value < pool.value; last = pools.at(-1)) {
      const weight = last.weight + pool.weight;
      pool = { value: (last.value * last.weight + pool.value * pool.weight) / weight, weight, count: last.count + pool.count };
      pools.pop();
    }
    pools.push(pool);
  });
  return pools.flatMap(({ value, count }) => new Array<number>(count).fill(value));
}

function betaDraw(a: number, b: number, rng: Rng): number {
  const x = gammaDraw(a, rng);
  return x / (x + gammaDraw(b, rng));
}

/** Gamma(shape, 1) by Marsaglia and Tsang (2000); shapes below 1 through shape + 1 and a power of a uniform. */
function gammaDraw(shape: number, rng: Rng): number {
  if (shape < 1) return gammaDraw(shape + 1, rng) * (1 - rng.random()) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = rng.normal();
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - rng.random()) < (x * x) / 2 + d - d * v + d * Math.log(v)) return d * v;
  }
}
