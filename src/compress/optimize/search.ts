import { type Column, weigh } from './columns.ts';
import type { Instance } from './instance.ts';
import type { Subproblem } from './relaxation.ts';

/** A column and what its priced cost exceeds its layer's least by: a plan costs at least the Lagrangian bound and the excess of its columns. */
interface PricedColumn {
  readonly column: Column;
  readonly excess: number;
}

export interface SearchOptions {
  /** [layers], every column that a plan better than `slack` allows can have, least excess first. */
  readonly layers: readonly (readonly PricedColumn[])[];
  /** The Lagrangian bound that the excesses are counted from. */
  readonly bound: number;
  /** A plan must cost less than this. */
  readonly below: number;
  /** Slack of the objectives' bounds. */
  readonly tolerance: number;
  readonly maxNodes: number;
}

export interface SearchResult {
  /** The cheapest plan below the limit; null when there is none, or none was found. */
  readonly columns: readonly Column[] | null;
  /** Whether every plan was looked at or ruled out. */
  readonly complete: boolean;
}

/** The least and the most that the layers from one on can add, per constrained length and objective. */
interface Reach {
  readonly low: Float64Array;
  readonly high: Float64Array;
}

/**
 * Depth-first search through the plans of a small model, layer by layer. Its linear relaxation is too weak there to prove anything: a few
 * heads seldom spend a budget as exactly as fractions of plans do.
 */
export class PlanSearch {
  readonly #options: SearchOptions;
  readonly #weights: readonly number[];
  readonly #low: Float64Array;
  readonly #high: Float64Array;
  /** [layers + 1] */
  readonly #reach: Reach[];
  readonly #chosen: Column[] = [];
  #below: number;
  #best: readonly Column[] | null = null;
  #nodes = 0;

  constructor(instance: Instance, problem: Subproblem, options: SearchOptions) {
    this.#options = options;
    this.#weights = problem.weights;
    this.#below = options.below;
    this.#low = Float64Array.from([...instance.lowerBlocks, ...problem.floors.map((floor) => floor - options.tolerance)]);
    this.#high = Float64Array.from([...instance.upperBlocks, ...problem.caps.map((cap) => cap + options.tolerance)]);
    this.#reach = reachOf(options.layers, this.#low.length);
  }

  run(): SearchResult {
    const complete = this.#visit(0, new Float64Array(this.#low.length), 0);
    return { columns: this.#best, complete };
  }

  /** Whether the plans that begin with the chosen columns were all looked at or ruled out. */
  #visit(layer: number, used: Float64Array, excess: number): boolean {
    const { layers, bound, maxNodes } = this.#options;
    if (layer === layers.length) {
      const cost = weigh(this.#weights, used.subarray(used.length - this.#weights.length));
      if (cost < this.#below) {
        this.#below = cost;
        this.#best = [...this.#chosen];
      }
      return true;
    }
    const next = new Float64Array(used.length);
    for (const entry of layers[layer] as readonly PricedColumn[]) {
      if (bound + excess + entry.excess >= this.#below) return true;
      if (++this.#nodes > maxNodes) return false;
      if (!this.#add(layer, used, entry.column, next)) continue;
      this.#chosen.push(entry.column);
      const done = this.#visit(layer + 1, next, excess + entry.excess);
      this.#chosen.pop();
      if (!done) return false;
    }
    return true;
  }

  /** Writes `used` and the column's part into `next`; false when the layers after it can't meet the bounds any more. */
  #add(layer: number, used: Float64Array, { blocks, losses }: Column, next: Float64Array): boolean {
    const { low, high } = this.#reach[layer + 1] as Reach;
    for (let i = 0; i < used.length; i++) {
      const own = i < blocks.length ? blocks[i] : losses[i - blocks.length];
      const value = (used[i] as number) + (own as number);
      if (value + (high[i] as number) < (this.#low[i] as number) || value + (low[i] as number) > (this.#high[i] as number)) return false;
      next[i] = value;
    }
    return true;
  }
}

function reachOf(layers: SearchOptions['layers'], size: number): Reach[] {
  const reach: Reach[] = [{ low: new Float64Array(size), high: new Float64Array(size) }];
  for (const columns of [...layers].reverse()) {
    const after = reach[0] as Reach;
    const own = columns.map(({ column }) => [...column.blocks, ...column.losses]);
    reach.unshift({
      low: after.low.map((value, i) => value + own.reduce((least, of) => Math.min(least, of[i] as number), Number.POSITIVE_INFINITY)),
      high: after.high.map((value, i) => value + own.reduce((most, of) => Math.max(most, of[i] as number), Number.NEGATIVE_INFINITY)),
    });
  }
  return reach;
}
