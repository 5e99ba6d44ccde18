import { type ColumnPool, joinColumns, slackColumns, sparseColumns, weigh } from './columns.ts';
import type { HighsThread, LpResult } from './highs-thread.ts';
import type { Instance } from './instance.ts';
import type { Pricer, Prices } from './pricing.ts';

/**
 * One solve of the front: minimizes the weighted losses while each stays within its bounds, in units. With all weights 0 it minimizes the
 * violation of the density bounds.
 */
export interface Subproblem {
  readonly weights: readonly number[];
  /** Infinite where an objective has none. */
  readonly caps: readonly number[];
  /** Minus infinity where an objective has none. */
  readonly floors: readonly number[];
}

export interface Relaxed {
  /** Lagrangian lower bound of the subproblem, units. */
  readonly bound: number;
  /** The prices that gave the bound; reduced costs at them are valid for it. */
  readonly prices: Prices;
  /** By how much density rows and caps are violated at the end; 0 when the relaxation is feasible. */
  readonly violation: number;
}

/** Price of a violated row: far above what a row can be worth when the mean loss is 1e4 units. */
const VIOLATION_COST = 1e6;
/** Column generation stops when the linear programme is within this share of its bound: a fiftieth of the usual gap. */
const TOLERANCE = 1e-4;
const MAX_ROUNDS = 500;
/** Rule sets of a layer that become columns in one round. */
const SETS_PER_ROUND = 2;

/** Bounds of the master's rows. */
export function rowBounds(instance: Instance, problem: Subproblem): { readonly lower: Float64Array; readonly upper: Float64Array } {
  const ones = new Array<number>(instance.layers).fill(1);
  const perDense = (blocks: readonly number[]): number[] => blocks.map((value, n) => value / (instance.denseBlocks[n] as number));
  return {
    lower: Float64Array.from([...ones, ...perDense(instance.lowerBlocks), ...problem.floors]),
    upper: Float64Array.from([...ones, ...perDense(instance.upperBlocks), ...problem.caps]),
  };
}

/**
 * The linear programme over all layer plans (Dantzig-Wolfe), by column generation: HiGHS prices the rows, Pricer finds each layer's
 * cheapest plan at those prices, which is a column and a bound at once.
 */
export class Relaxation {
  readonly #instance: Instance;
  readonly #thread: HighsThread;
  readonly #pricer: Pricer;
  readonly #pool: ColumnPool;
  #inProgramme = 0;

  constructor(instance: Instance, tools: { readonly thread: HighsThread; readonly pricer: Pricer; readonly pool: ColumnPool }) {
    this.#instance = instance;
    this.#thread = tools.thread;
    this.#pricer = tools.pricer;
    this.#pool = tools.pool;
  }

  async solve(problem: Subproblem, signal?: AbortSignal): Promise<Relaxed> {
    const rows = rowBounds(this.#instance, problem);
    let best: Relaxed = { bound: Number.NEGATIVE_INFINITY, prices: this.#noPrices(), violation: 0 };
    for (let round = 0; round < MAX_ROUNDS; round++) {
      signal?.throwIfAborted();
      const lp = await this.#solveProgramme(problem, rows);
      const prices = this.#pricesOf(problem, lp.rowDuals);
      const { bound, added } = this.#price(problem, rows, lp.rowDuals, prices);
      if (bound > best.bound) best = { ...best, bound, prices };
      const violation = this.#slackOf(lp);
      best = { ...best, violation };
      const done = lp.objective - best.bound <= Math.max(TOLERANCE * Math.abs(best.bound), 1e-7);
      if (done || added === 0) break;
    }
    return best;
  }

  async #solveProgramme(problem: Subproblem, rows: { readonly lower: Float64Array; readonly upper: Float64Array }): Promise<LpResult> {
    const instance = this.#instance;
    const columns = this.#pool.columns;
    const added = sparseColumns(instance, columns.slice(this.#inProgramme), problem.weights);
    const slackCost = problem.weights.every((weight) => weight === 0) ? 1 : VIOLATION_COST;
    const slack = slackColumns(instance, slackCost);
    const first = this.#inProgramme === 0;
    const costs = new Float64Array(slack.cost.length + columns.length);
    costs.set(slack.cost);
    columns.forEach((column, j) => {
      costs[slack.cost.length + j] = weigh(problem.weights, column.losses);
    });
    this.#inProgramme = columns.length;
    return await this.#thread.solveLp({
      kind: 'lp',
      reset: first,
      add: first ? joinColumns(slack, added) : added,
      costs,
      rowLower: rows.lower,
      rowUpper: rows.upper,
    });
  }

  /**
   * Adds each layer's cheapest plans as columns. The bound is the sum of the layers' least costs, plus what the rows' bounds earn at these
   * duals.
   */
  #price(problem: Subproblem, rows: { readonly lower: Float64Array; readonly upper: Float64Array }, duals: Float64Array, prices: Prices) {
    const { layers, constraintLengths } = this.#instance;
    this.#pricer.setPrices(prices);
    let bound = 0;
    let added = 0;
    for (let layer = 0; layer < layers; layer++) {
      const priced = this.#pricer.priceLayer(layer, SETS_PER_ROUND);
      bound += priced.bound;
      for (const set of priced.sets) if (this.#pool.add(layer, this.#pricer.assign(layer, set.rules))) added++;
    }
    const rowsOfLosses = layers + constraintLengths.length;
    for (let i = layers; i < rows.upper.length; i++) {
      const dual = i < rowsOfLosses ? (duals[i] as number) : lossDual(problem, i - rowsOfLosses, duals[i] as number);
      bound += dual > 0 ? dual * (rows.lower[i] as number) : dual < 0 ? dual * (rows.upper[i] as number) : 0;
    }
    return { bound, added };
  }

  #pricesOf(problem: Subproblem, duals: Float64Array): Prices {
    const { layers, constraintLengths, profileLengths } = this.#instance;
    const loss = Float64Array.from(
      profileLengths,
      (_, p) => (problem.weights[p] as number) - lossDual(problem, p, duals[layers + constraintLengths.length + p] as number),
    );
    return { loss, density: Float64Array.from(constraintLengths, (_, n) => -(duals[layers + n] as number)) };
  }

  #slackOf(lp: LpResult): number {
    let total = 0;
    const count = 2 * (this.#instance.constraintLengths.length + this.#instance.profileLengths.length);
    for (let i = 0; i < count; i++) total += lp.values[i] as number;
    return total;
  }

  #noPrices(): Prices {
    return {
      loss: new Float64Array(this.#instance.profileLengths.length),
      density: new Float64Array(this.#instance.constraintLengths.length),
    };
  }
}

/** The dual of an objective's row as far as a bound can rest on it: rounding may leave one at a side that has no bound. */
function lossDual(problem: Subproblem, p: number, dual: number): number {
  return Number.isFinite(dual > 0 ? problem.floors[p] : problem.caps[p]) ? dual : 0;
}
