import { optimize } from '../compress/optimize/optimize.ts';
import { candidateRules } from '../compress/optimize/rules.ts';
import { syntheticLossTables } from '../compress/optimize/synthetic.ts';
import type { OnProgress } from '../core/progress.ts';

export interface OptimizerBenchOptions {
  readonly layers: number;
  readonly kvHeads: number;
  readonly budget: number;
  readonly betaSteps: number;
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
}

export interface OptimizerBench {
  readonly layers: number;
  readonly kvHeads: number;
  readonly rules: number;
  readonly budget: number;
  readonly seconds: number;
  readonly solves: { readonly total: number };
  readonly points: number;
  /** Of all points: how far at most from the optimum, proven. */
  readonly largestGap: number;
  readonly leastDensity: number;
}

/** Where losses are compared, and where density is bounded. */
const PROFILE_LENGTHS = [2048, 4096, 8192];
const CONSTRAINT_LENGTHS = [2048, 4096, 8192, 16384];
const SINK = 64;

/** Time and gaps of a Pareto front on a synthetic model of this size. */
export async function benchOptimizer(options: OptimizerBenchOptions): Promise<OptimizerBench> {
  const { layers, kvHeads, budget, betaSteps, signal, onProgress } = options;
  const heterogeneity = 'elastic';
  const lengths = { profileLengths: PROFILE_LENGTHS, constraintLengths: CONSTRAINT_LENGTHS };
  const rules = candidateRules({ heterogeneity, ...lengths, budget, betaSteps });
  const lossTables = syntheticLossTables({ seed: 1, layers, kvHeads, profileLengths: PROFILE_LENGTHS, rules });
  const front = await optimize({
    ...lengths,
    lossTables,
    rules,
    budget,
    sink: SINK,
    layers,
    kvHeads,
    heterogeneity,
    signal,
    onProgress: ({ done, total }) => onProgress({ stage: 'optimizer', done, total }),
  });
  return {
    layers,
    kvHeads,
    rules: rules.length,
    budget,
    seconds: Number(front.seconds.toFixed(1)),
    solves: front.solves,
    points: front.points.length,
    largestGap: Math.max(...front.points.map(({ gap }) => gap)),
    leastDensity: Math.min(...front.points.flatMap(({ densities }) => Object.values(densities))),
  };
}

export function optimizerText({ layers, kvHeads, rules, seconds, solves, points, largestGap }: OptimizerBench): string {
  const size = `${layers} x ${kvHeads} heads, ${rules} rules`;
  return `${size}: a front of ${points} plans in ${seconds} s and ${solves.total} solves; largest proven gap ${(100 * largestGap).toFixed(2)}%`;
}
