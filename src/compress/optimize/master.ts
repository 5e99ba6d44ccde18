import { type Column, ColumnPool, everyColumn, joinColumns, slackColumns, sparseColumns, weigh } from './columns.ts';
import type { HighsThread } from './highs-thread.ts';
import type { Instance } from './instance.ts';
import { nearColumns } from './near-columns.ts';
import { Pricer } from './pricing.ts';
import { Relaxation, type Relaxed, rowBounds, type Subproblem } from './relaxation.ts';
import { PlanSearch } from './search.ts';

/** One column per layer, with what they sum to. */
export interface IntegerSolution {
  readonly columns: readonly Column[];
  /** Per objective, units. */
  readonly losses: Float64Array;
  /** Per constrained length. */
  readonly blocks: Float64Array;
}

export interface Solved {
  /** Best plan known for the subproblem; null when there is none, or none was found. */
  readonly best: IntegerSolution | null;
  /** Proven lower bound of the objective, units. */
  readonly bound: number;
  /** No plan exists. */
  readonly infeasible: boolean;
}

interface Step {
  readonly columns: readonly Column[];
  readonly start: IntegerSolution | null;
  readonly relativeGap: number;
  readonly maxNodes: number;
}

/** Columns of a layer in the integer programme, by effort: more columns give better plans and longer solves. */
const EFFORTS = [
  { perLayer: 40, maxNodes: 100 },
  { perLayer: 150, maxNodes: 1000 },
  { perLayer: 600, maxNodes: 5000 },
];
/** Columns of a model that is searched where HiGHS's first effort leaves a gap, and partial plans that one search looks at: some tenths of a second. */
const SEARCH = { maxColumns: 80_000, maxNodes: 5_000_000 };
/** Slack of the objectives' bounds, units: the solver's feasibility tolerance. */
const LOSS_TOLERANCE = 1e-5;

/** (value - bound) as a share of the larger of the two, so that it is finite where a bound is 0; 0 when they agree to rounding. */
export function relativeGap(value: number, bound: number): number {
  const difference = value - bound;
  return difference <= 1e-9 * Math.max(1, Math.abs(bound)) ? 0 : difference / Math.max(Math.abs(value), Math.abs(bound));
}

/**
 * Solves subproblems over shared columns: column generation for the bound, then an integer programme over the columns that can matter. When
 * the programme has all of these columns (small models), its optimum is the optimum of the subproblem.
 */
export class Master {
  readonly #instance: Instance;
  readonly #thread: HighsThread;
  readonly #pricer: Pricer;
  readonly #pool: ColumnPool;
  readonly #relaxation: Relaxation;
  /** [layers]; null for models that are too large to be searched. */
  readonly #everyColumn: (readonly Column[])[] | null;
  /** Plans of all solves so far. They are starting points of the next solves, and often their answers. */
  readonly #known: IntegerSolution[] = [];

  constructor(instance: Instance, thread: HighsThread) {
    this.#instance = instance;
    this.#thread = thread;
    this.#pricer = new Pricer(instance);
    this.#pool = new ColumnPool(instance);
    this.#everyColumn = everyColumn(instance, SEARCH.maxColumns);
    this.#relaxation = new Relaxation(instance, { thread, pricer: this.#pricer, pool: this.#pool });
    for (let r = 0; r < instance.rules.length; r++) {
      const from = this.#pool.columns.length;
      for (let layer = 0; layer < instance.layers; layer++) this.#pool.add(layer, new Uint16Array(instance.heads).fill(r));
      // The uniform plans. One of them has the budget's rule, so there is always a plan to start from.
      const uniform = this.#total(this.#pool.columns.slice(from));
      if (uniform !== null) this.#known.push(uniform);
    }
  }

  /** Blocks at each constrained length of a plan that violates the density bounds as little as a plan of the known columns can. */
  async nearest(signal?: AbortSignal): Promise<number[]> {
    const instance = this.#instance;
    const problem: Subproblem = {
      weights: instance.profileLengths.map(() => 0),
      caps: instance.profileLengths.map(() => Number.POSITIVE_INFINITY),
      floors: instance.profileLengths.map(() => Number.NEGATIVE_INFINITY),
    };
    const relaxed = await this.#relaxation.solve(problem, signal);
    const columns = this.#select(relaxed, { slack: Number.POSITIVE_INFINITY, perLayer: 150, keep: null });
    const rows = rowBounds(instance, problem);
    const slack = slackColumns(instance, 1);
    const { values } = await this.#thread.solveMip({
      kind: 'mip',
      columns: joinColumns(sparseColumns(instance, columns, problem.weights), slack),
      rowLower: rows.lower,
      rowUpper: rows.upper,
      continuous: slack.cost.length,
      start: null,
      relativeGap: 1e-3,
      maxNodes: 2000,
    });
    const chosen = columns.filter((_, j) => (values[j] ?? 0) > 0.5);
    return instance.constraintLengths.map((_, n) => chosen.reduce((sum, column) => sum + (column.blocks[n] as number), 0));
  }

  /** Solves a subproblem to within `maxGap` if bounded effort can. */
  async solve(problem: Subproblem, maxGap: number, signal?: AbortSignal): Promise<Solved> {
    const relaxed = await this.#relaxation.solve(problem, signal);
    let { bound } = relaxed;
    let best = this.#bestKnown(problem);
    if (relaxed.violation > 1e-6 && best === null) return { best: null, bound, infeasible: true };
    const value = (solution: IntegerSolution | null): number =>
      solution === null ? Number.POSITIVE_INFINITY : weigh(problem.weights, solution.losses);
    const isClose = (): boolean => best !== null && relativeGap(value(best), bound) <= maxGap;
    for (const effort of EFFORTS) {
      if (isClose()) break;
      signal?.throwIfAborted();
      if (effort === EFFORTS[1]) {
        const searched = this.#search(problem, relaxed, value(best));
        if (searched.solution !== null) best = searched.solution;
        if (searched.complete) return { best, bound: value(best), infeasible: best === null };
      }
      const slack = value(best) - relaxed.bound;
      const complete = this.#addNearColumns(relaxed, slack, effort.perLayer);
      const columns = this.#select(relaxed, { slack, perLayer: complete ? Number.POSITIVE_INFINITY : effort.perLayer, keep: best });
      const step = { columns, start: best, relativeGap: complete ? 1e-7 : maxGap / 2, maxNodes: effort.maxNodes };
      const mip = await this.#solveIntegers(problem, step);
      if (complete) {
        // A plan with any other column costs at least as much as the old best, and a plan of these columns at least the integer
        // programme's bound.
        bound = Math.max(bound, Math.min(value(best), mip.bound));
        if (best === null && mip.infeasible) return { best: null, bound, infeasible: true };
      }
      if (mip.solution !== null) {
        this.#known.push(mip.solution);
        if (value(mip.solution) < value(best)) best = mip.solution;
      }
      if (complete && !mip.stopped) break;
    }
    return { best, bound: Math.min(bound, value(best)), infeasible: false };
  }

  #bestKnown(problem: Subproblem): IntegerSolution | null {
    let best: IntegerSolution | null = null;
    for (const solution of this.#known) {
      const within = solution.losses.every(
        (loss, p) => loss <= (problem.caps[p] as number) + LOSS_TOLERANCE && loss >= (problem.floors[p] as number) - LOSS_TOLERANCE,
      );
      if (within && (best === null || weigh(problem.weights, solution.losses) < weigh(problem.weights, best.losses))) best = solution;
    }
    return best;
  }

  /** The best plan that costs less than `below`, of a small model. */
  #search(problem: Subproblem, relaxed: Relaxed, below: number): { readonly solution: IntegerSolution | null; readonly complete: boolean } {
    if (this.#everyColumn === null) return { solution: null, complete: false };
    const slack = below - relaxed.bound;
    const layers = this.#everyColumn.map((columns) => {
      const priced = columns.map((column) => ({ column, excess: this.#pool.costOf(column, relaxed.prices) }));
      const least = priced.reduce((min, { excess }) => Math.min(min, excess), Number.POSITIVE_INFINITY);
      const near = priced.filter(({ excess }) => excess - least < slack).map((entry) => ({ ...entry, excess: entry.excess - least }));
      return near.sort((a, b) => a.excess - b.excess);
    });
    const search = new PlanSearch(this.#instance, problem, {
      layers,
      bound: relaxed.bound,
      below,
      tolerance: LOSS_TOLERANCE,
      maxNodes: SEARCH.maxNodes,
    });
    const { columns, complete } = search.run();
    const solution = columns === null ? null : this.#total(columns);
    if (solution !== null) this.#known.push(solution);
    return { solution, complete };
  }

  #addNearColumns(relaxed: Relaxed, slack: number, limit: number): boolean {
    this.#pricer.setPrices(relaxed.prices);
    let complete = true;
    for (let layer = 0; layer < this.#instance.layers; layer++) {
      const near = nearColumns(this.#pricer, this.#instance, layer, { slack, limit });
      complete &&= near.complete;
      for (const assignment of near.assignments) this.#pool.add(layer, assignment);
    }
    return complete;
  }

  /** Columns that can be part of a plan better than the best, the cheapest of each layer first. */
  #select(
    relaxed: Relaxed,
    options: { readonly slack: number; readonly perLayer: number; readonly keep: IntegerSolution | null },
  ): Column[] {
    const byLayer = Array.from({ length: this.#instance.layers }, (): { column: Column; cost: number }[] => []);
    for (const column of this.#pool.columns) byLayer[column.layer]?.push({ column, cost: this.#pool.costOf(column, relaxed.prices) });
    return byLayer.flatMap((entries, layer) => {
      entries.sort((a, b) => a.cost - b.cost);
      const least = entries[0]?.cost ?? 0;
      const limit = least + options.slack + 1e-9 * Math.max(1, Math.abs(least));
      const chosen = entries.filter((entry, i) => entry.cost <= limit && i < options.perLayer).map((entry) => entry.column);
      const kept = options.keep?.columns[layer];
      return kept === undefined || chosen.includes(kept) ? chosen : [...chosen, kept];
    });
  }

  async #solveIntegers(problem: Subproblem, step: Step) {
    const rows = rowBounds(this.#instance, problem);
    const start = step.start === null ? null : Float64Array.from(step.columns, (column) => (step.start?.columns.includes(column) ? 1 : 0));
    const result = await this.#thread.solveMip({
      kind: 'mip',
      columns: sparseColumns(this.#instance, step.columns, problem.weights),
      rowLower: rows.lower,
      rowUpper: rows.upper,
      continuous: 0,
      start,
      relativeGap: step.relativeGap,
      maxNodes: step.maxNodes,
    });
    const chosen = step.columns.filter((_, j) => (result.values[j] ?? 0) > 0.5);
    const solution = chosen.length === this.#instance.layers ? this.#total(chosen) : null;
    const infeasible = result.status === 'infeasible';
    return { solution, bound: infeasible ? Number.POSITIVE_INFINITY : result.bound, infeasible, stopped: result.status === 'limit' };
  }

  /** The plan of these columns, null when its whole blocks are out of bounds after all (solver tolerance). */
  #total(columns: readonly Column[]): IntegerSolution | null {
    const { lowerBlocks, upperBlocks, profileLengths, constraintLengths } = this.#instance;
    const losses = Float64Array.from(profileLengths, (_, p) => columns.reduce((sum, column) => sum + (column.losses[p] as number), 0));
    const blocks = Float64Array.from(constraintLengths, (_, n) => columns.reduce((sum, column) => sum + (column.blocks[n] as number), 0));
    const within = blocks.every((value, n) => value >= (lowerBlocks[n] as number) && value <= (upperBlocks[n] as number));
    return within ? { columns, losses, blocks } : null;
  }
}
