import { MoaError } from '../../core/errors.ts';
import { weigh } from './columns.ts';
import { nonDominated, type ParetoFront, type ParetoPoint } from './front.ts';
import { epsilonGrid, type GridPoint, isWithin, singleObjectives, tieBreak } from './grid.ts';
import { HighsThread } from './highs-thread.ts';
import { createInstance, type Instance, type OptimizeOptions } from './instance.ts';
import { type IntegerSolution, Master, relativeGap, type Solved } from './master.ts';
import { uniformPoints } from './uniform.ts';
import { unreachable } from './unreachable.ts';

export type { OptimizeOptions } from './instance.ts';

const SOLVER = 'Lagrangian column generation + HiGHS';

interface Answer {
  readonly point: GridPoint;
  readonly solved: Solved;
}

/**
 * The Pareto front of plans at a budget (MoA section 4.2): every head has a rule, every layer has at most R rules, the mean density is
 * within its bounds at every constrained length, and the predicted losses at the profile lengths are least. Equal input gives an equal
 * front, except for `seconds`.
 * @throws INVALID_ARGUMENT for malformed options, and when no plan meets the density bounds: the message names the length and the nearest
 * density. ABORTED (or the signal's reason) when aborted.
 */
export async function optimize(options: OptimizeOptions): Promise<ParetoFront> {
  const started = performance.now();
  const instance = createInstance(options);
  options.signal?.throwIfAborted();
  if (options.heterogeneity === 'uniform') {
    const points = uniformPoints(instance);
    const solves = { total: points.length, infeasible: 0, aboveGap: 0 };
    return front(options, instance, { points, solver: 'enumeration', solves, started });
  }
  const thread = await HighsThread.open();
  if (options.signal?.aborted) await thread.close();
  const onAbort = (): void => void thread.close();
  options.signal?.addEventListener('abort', onAbort, { once: true });
  try {
    const answers = await solveGrid(new Master(instance, thread), instance, options);
    const maxGap = options.maxGap ?? 0.005;
    const points = answers.flatMap(({ point, solved }) =>
      solved.best === null ? [] : [pointOf(instance, point, solved.best, solved.bound)],
    );
    const solves = {
      total: answers.length,
      infeasible: answers.filter(({ solved }) => solved.best === null).length,
      aboveGap: points.filter((point) => point.gap > maxGap).length,
    };
    return front(options, instance, { points, solver: SOLVER, solves, started });
  } catch (error) {
    options.signal?.throwIfAborted();
    throw error;
  } finally {
    options.signal?.removeEventListener('abort', onAbort);
    await thread.close();
  }
}

async function solveGrid(master: Master, instance: Instance, options: OptimizeOptions): Promise<Answer[]> {
  const { signal, onProgress, intervals = 4, grid = 'caps', maxGap = 0.005 } = options;
  const objectives = instance.profileLengths.length;
  const total = objectives === 1 ? 1 : objectives * (1 + intervals ** (objectives - 1));
  const answers: Answer[] = [];
  const report = (point: GridPoint): void =>
    onProgress?.({ stage: 'optimize', done: answers.length, total, detail: `loss at ${instance.profileLengths[point.primary]} tokens` });
  for (const point of singleObjectives(objectives)) {
    report(point);
    const solved = await master.solve(point, maxGap, signal);
    if (solved.best === null) throw unreachable(instance, solved.infeasible, await master.nearest(signal));
    const least = solved.best.losses[point.primary] as number;
    const broken = grid === 'caps' && objectives > 1 ? await master.solve(tieBreak(point, least), maxGap, signal) : solved;
    // The gap stays that of the primary loss alone: the tie-break chooses among plans that have it.
    answers.push({ point, solved: { ...solved, best: broken.best ?? solved.best } });
  }
  if (objectives > 1) {
    const singles = answers.map(({ solved }) => (solved.best as IntegerSolution).losses);
    const ranges = instance.profileLengths.map((_, p) => {
      const values = singles.map((losses) => losses[p] as number);
      return { low: Math.min(...values), high: Math.max(...values) };
    });
    for (const point of epsilonGrid(ranges, intervals, grid)) {
      report(point);
      answers.push({ point, solved: inherited(point, answers, maxGap) ?? (await master.solve(point, maxGap, signal)) });
    }
  }
  onProgress?.({ stage: 'optimize', done: total, total });
  return answers;
}

/** The answer of a looser point, when it meets the tighter bounds too: a plan that is optimal among more plans is optimal among fewer. */
function inherited(point: GridPoint, answers: readonly Answer[], maxGap: number): Solved | undefined {
  const found = answers.find(({ point: outer, solved }) => {
    if (solved.best === null) return solved.infeasible && isWithin(point, outer);
    const { best } = solved;
    const close = relativeGap(weigh(point.weights, best.losses), solved.bound) <= maxGap;
    const meets = best.losses.every((loss, p) => loss <= (point.caps[p] as number) && loss >= (point.floors[p] as number));
    return close && meets && isWithin(point, outer);
  });
  return found?.solved;
}

function pointOf(instance: Instance, point: GridPoint, solution: IntegerSolution, bound: number): ParetoPoint {
  const byLayer = [...solution.columns].sort((a, b) => a.layer - b.layer);
  const part = (name: 'alpha' | 'beta'): number[][] =>
    byLayer.map((c) => Array.from(c.assignment, (r) => instance.rules[r]?.[name] as number));
  const heads = instance.layers * instance.heads;
  return {
    alpha: part('alpha'),
    beta: part('beta'),
    objectives: byLength(instance.profileLengths, (p) => (solution.losses[p] as number) * (instance.scale[p] as number)),
    densities: byLength(instance.constraintLengths, (n) => (solution.blocks[n] as number) / (heads * (instance.denseBlocks[n] as number))),
    primary: instance.profileLengths[point.primary] as number,
    gap: relativeGap(weigh(point.weights, solution.losses), bound),
  };
}

interface Found {
  readonly points: readonly ParetoPoint[];
  readonly solver: string;
  readonly solves: ParetoFront['solves'];
  readonly started: number;
}

function front(options: OptimizeOptions, instance: Instance, found: Found): ParetoFront {
  const heads = instance.layers * instance.heads;
  const points = nonDominated(found.points, (point) => instance.profileLengths.map((length) => point.objectives[length] as number));
  if (points.length === 0) throw new MoaError('Expected a plan from the optimizer but it gave none', { code: 'INTERNAL' });
  return {
    format: 'moabench-front',
    version: 1,
    layers: instance.layers,
    kvHeads: instance.heads,
    heterogeneity: options.heterogeneity,
    rules: instance.rules.map(({ alpha, beta }) => ({ alpha, beta })),
    rulesPerLayer: options.heterogeneity === 'uniform' ? 1 : instance.rulesPerLayer,
    budget: options.budget,
    densityBounds: Object.fromEntries(
      instance.constraintLengths.map((tokens, n) => {
        const dense = heads * (instance.denseBlocks[n] as number);
        return [String(tokens), { lower: (instance.lowerBlocks[n] as number) / dense, upper: (instance.upperBlocks[n] as number) / dense }];
      }),
    ),
    solver: found.solver,
    solves: found.solves,
    seconds: (performance.now() - found.started) / 1000,
    points,
  };
}

function byLength(lengths: readonly number[], value: (index: number) => number): Record<string, number> {
  return Object.fromEntries(lengths.map((tokens, i) => [String(tokens), value(i)]));
}
