import type { Instance } from './instance.ts';

/** A layer's best rule sets at given prices. */
export interface PricedLayer {
  /** Lower bound of the layer's priced cost; the cost of the best set when `exact`. */
  readonly bound: number;
  readonly exact: boolean;
  /** Up to `keep` rule sets, cheapest first, with their priced cost. */
  readonly sets: readonly { readonly rules: readonly number[]; readonly cost: number }[];
}

export interface Prices {
  /** Weight of each objective, in units. */
  readonly loss: Float64Array;
  /** Price of one dense head's worth of slots at each constrained length. */
  readonly density: Float64Array;
}

/** Maximum number of rule sets of one layer that are searched. When there are more, the bound with unlimited rules is used instead. */
const MAX_SETS = 200_000;

/**
 * Lagrangian pricing: for fixed prices every layer picks its best set of at most R rules, and every head its best rule in it. Exact for
 * R <= 2 and for every layer whose search stays within MAX_SETS nodes; then the sum of `bound` is a bound of the whole problem.
 */
export class Pricer {
  readonly #instance: Instance;
  /** Priced cost [layers, rules, heads]. */
  readonly costs: Float64Array;

  constructor(instance: Instance) {
    this.#instance = instance;
    this.costs = new Float64Array(instance.layers * instance.rules.length * instance.heads);
  }

  /** Fills `costs` with c[l, r, h] = sum_p w_p loss_p[l, r, h] + sum_N price_N density_N[r]. */
  setPrices(prices: Prices): void {
    const { layers, heads, rules, losses, blocks, denseBlocks } = this.#instance;
    const { costs } = this;
    const size = rules.length * heads;
    for (let r = 0; r < rules.length; r++) {
      let price = 0;
      blocks.forEach((of, n) => {
        price += ((prices.density[n] as number) * (of[r] as number)) / (denseBlocks[n] as number);
      });
      for (let layer = 0; layer < layers; layer++) costs.fill(price, layer * size + r * heads, layer * size + (r + 1) * heads);
    }
    losses.forEach((loss, p) => {
      const weight = prices.loss[p] as number;
      if (weight === 0) return;
      for (let i = 0; i < costs.length; i++) costs[i] = (costs[i] as number) + weight * (loss[i] as number);
    });
  }

  /** The `keep` best rule sets of a layer at the prices set last. */
  priceLayer(layer: number, keep = 1): PricedLayer {
    const { heads, rules, rulesPerLayer } = this.#instance;
    const size = rules.length * heads;
    const costs = this.costs.subarray(layer * size, (layer + 1) * size);
    const best = new BestSets(keep);
    const limit = Math.min(rulesPerLayer, rules.length);
    if (limit >= Math.min(heads, rules.length)) return unlimited(costs, heads, rules.length);
    for (let r = 0; r < rules.length; r++) best.offer([r], rowSum(costs, r * heads, heads));
    if (limit === 1) return { bound: best.least, exact: true, sets: best.sets };
    if (limit === 2) {
      pairs(costs, { heads, rules: rules.length }, best);
      return { bound: best.least, exact: true, sets: best.sets };
    }
    const exact = new SetSearch(costs, heads, rules.length, limit, best).run();
    return { bound: exact ? best.least : unlimited(costs, heads, rules.length).bound, exact, sets: best.sets };
  }

  /** Each head's cheapest rule among `set` at the prices set last, [heads]. */
  assign(layer: number, set: readonly number[]): Uint16Array {
    const { heads, rules } = this.#instance;
    const base = layer * rules.length * heads;
    const assignment = new Uint16Array(heads);
    for (let h = 0; h < heads; h++) {
      let cheapest = Number.POSITIVE_INFINITY;
      for (const r of set) {
        const cost = this.costs[base + r * heads + h] as number;
        if (cost < cheapest) {
          cheapest = cost;
          assignment[h] = r;
        }
      }
    }
    return assignment;
  }
}

/** The hot loop: every pair of rules, C(rules, 2) * heads minima. */
function pairs(costs: Float64Array, shape: { readonly heads: number; readonly rules: number }, best: BestSets): void {
  const { heads, rules } = shape;
  for (let a = 0; a < rules; a++) {
    const rowA = a * heads;
    for (let b = a + 1; b < rules; b++) {
      const rowB = b * heads;
      let cost = 0;
      for (let h = 0; h < heads; h++) {
        const x = costs[rowA + h] as number;
        const y = costs[rowB + h] as number;
        cost += Math.min(x, y);
      }
      if (cost < best.worst) best.offer([a, b], cost);
    }
  }
}

function rowSum(costs: Float64Array, start: number, heads: number): number {
  let total = 0;
  for (let h = 0; h < heads; h++) total += costs[start + h] as number;
  return total;
}

/** Every head takes its best rule: exact when a layer may have as many rules as heads. */
function unlimited(costs: Float64Array, heads: number, rules: number): PricedLayer {
  let bound = 0;
  for (let h = 0; h < heads; h++) {
    let least = Number.POSITIVE_INFINITY;
    for (let r = 0; r < rules; r++) least = Math.min(least, costs[r * heads + h] as number);
    bound += least;
  }
  return { bound, exact: true, sets: [{ rules: Array.from({ length: rules }, (_, r) => r), cost: bound }] };
}

/** The cheapest sets seen, at most `keep`. */
class BestSets {
  readonly sets: { rules: readonly number[]; cost: number }[] = [];
  readonly #keep: number;
  constructor(keep: number) {
    this.#keep = keep;
  }
  get least(): number {
    return this.sets[0]?.cost ?? Number.POSITIVE_INFINITY;
  }
  /** A set must be cheaper than this to be kept. */
  get worst(): number {
    return this.sets.length < this.#keep ? Number.POSITIVE_INFINITY : (this.sets[this.sets.length - 1]?.cost ?? Number.POSITIVE_INFINITY);
  }
  offer(rules: readonly number[], cost: number): void {
    if (cost >= this.worst) return;
    let at = this.sets.length;
    while (at > 0 && (this.sets[at - 1] as { cost: number }).cost > cost) at--;
    this.sets.splice(at, 0, { rules, cost });
    if (this.sets.length > this.#keep) this.sets.pop();
  }
}

/** Depth-first search over sets of 3 and more rules: a branch ends when even all later rules together could not improve it enough. */
class SetSearch {
  readonly #costs: Float64Array;
  readonly #heads: number;
  readonly #rules: number;
  readonly #limit: number;
  readonly #best: BestSets;
  /** [rules + 1, heads]: cheapest cost of each head among rules >= r. */
  readonly #suffix: Float64Array;
  #nodes = 0;

  constructor(costs: Float64Array, heads: number, rules: number, limit: number, best: BestSets) {
    this.#costs = costs;
    this.#heads = heads;
    this.#rules = rules;
    this.#limit = limit;
    this.#best = best;
    this.#suffix = new Float64Array((rules + 1) * heads).fill(Number.POSITIVE_INFINITY);
    for (let i = rules * heads - 1; i >= 0; i--) this.#suffix[i] = Math.min(costs[i] as number, this.#suffix[i + heads] as number);
  }

  /** Whether the search was complete. */
  run(): boolean {
    pairs(this.#costs, { heads: this.#heads, rules: this.#rules }, this.#best);
    return this.#extend([], new Float64Array(this.#heads).fill(Number.POSITIVE_INFINITY), 0);
  }

  #extend(set: readonly number[], current: Float64Array, from: number): boolean {
    const heads = this.#heads;
    for (let r = from; r < this.#rules; r++) {
      if (++this.#nodes > MAX_SETS) return false;
      let bound = 0;
      for (let h = 0; h < heads; h++) bound += Math.min(current[h] as number, this.#suffix[r * heads + h] as number);
      if (bound >= this.#best.worst) return true;
      const next = new Float64Array(heads);
      let cost = 0;
      for (let h = 0; h < heads; h++) {
        next[h] = Math.min(current[h] as number, this.#costs[r * heads + h] as number);
        cost += next[h] as number;
      }
      const rules = [...set, r];
      if (rules.length >= 3 && cost < this.#best.worst) this.#best.offer(rules, cost);
      if (rules.length < this.#limit && !this.#extend(rules, next, r + 1)) return false;
    }
    return true;
  }
}
