import type { SparseColumns } from './highs-thread.ts';
import type { Instance } from './instance.ts';
import type { Prices } from './pricing.ts';

/** A whole layer's choice: one rule for every head. A plan is one column of each layer. */
export interface Column {
  readonly layer: number;
  /** Rule of every head, [heads]. */
  readonly assignment: Uint16Array;
  /** Per objective, units. */
  readonly losses: Float64Array;
  /** Per constrained length. */
  readonly blocks: Float64Array;
}

/** All columns found so far. The solves of a front share them, because they differ only in weights and caps. */
export class ColumnPool {
  readonly columns: Column[] = [];
  readonly #instance: Instance;
  readonly #seen = new Set<string>();

  constructor(instance: Instance) {
    this.#instance = instance;
  }

  /** Whether the column is new. */
  add(layer: number, assignment: Uint16Array): boolean {
    const key = `${layer}:${String.fromCharCode(...assignment)}`;
    if (this.#seen.has(key)) return false;
    this.#seen.add(key);
    this.columns.push(measured(this.#instance, layer, assignment));
    return true;
  }

  /** Priced cost of a column: its layer's share of the Lagrangian. */
  costOf(column: Column, prices: Prices): number {
    let cost = 0;
    for (let p = 0; p < column.losses.length; p++) cost += (prices.loss[p] as number) * (column.losses[p] as number);
    for (let n = 0; n < column.blocks.length; n++) {
      cost += ((prices.density[n] as number) * (column.blocks[n] as number)) / (this.#instance.denseBlocks[n] as number);
    }
    return cost;
  }
}

/** An assignment with its losses and blocks. */
function measured(instance: Instance, layer: number, assignment: Uint16Array): Column {
  const { heads, rules } = instance;
  const losses = new Float64Array(instance.losses.length);
  const blocks = new Float64Array(instance.blocks.length);
  for (let h = 0; h < heads; h++) {
    const r = assignment[h] as number;
    const at = (layer * rules.length + r) * heads + h;
    for (let p = 0; p < losses.length; p++) losses[p] = (losses[p] as number) + (instance.losses[p]?.[at] as number);
    for (let n = 0; n < blocks.length; n++) blocks[n] = (blocks[n] as number) + (instance.blocks[n]?.[r] as number);
  }
  return { layer, assignment, losses, blocks };
}

/** Every column of every layer, [layers]; null when these are more than `limit` together. */
export function everyColumn(instance: Instance, limit: number): (readonly Column[])[] | null {
  const { layers, heads, rules, rulesPerLayer } = instance;
  let assignments: number[][] = [[]];
  for (let h = 0; h < heads; h++) {
    assignments = assignments.flatMap((chosen) => {
      const own = new Set(chosen);
      return own.size < rulesPerLayer ? rules.map((_, r) => [...chosen, r]) : [...own].map((r) => [...chosen, r]);
    });
    if (assignments.length * layers > limit) return null;
  }
  return Array.from({ length: layers }, (_, layer) =>
    assignments.map((assignment) => measured(instance, layer, Uint16Array.from(assignment))),
  );
}

/** The objective of a column (or of a plan): its losses, weighted. */
export function weigh(weights: readonly number[], losses: Float64Array): number {
  return weights.reduce((sum, weight, p) => sum + weight * (losses[p] as number), 0);
}

/**
 * Columns as HiGHS takes them, with their cost under the objectives' weights. Rows of the master: one per layer (exactly one column), one
 * per constrained length (dense heads), one per objective (its bounds).
 */
export function sparseColumns(instance: Instance, columns: readonly Column[], weights: readonly number[]): SparseColumns {
  const perColumn = 1 + instance.constraintLengths.length + instance.profileLengths.length;
  const starts = new Int32Array(columns.length + 1);
  const indices = new Int32Array(columns.length * perColumn);
  const values = new Float64Array(columns.length * perColumn);
  const cost = new Float64Array(columns.length);
  let at = 0;
  const push = (row: number, value: number): void => {
    indices[at] = row;
    values[at++] = value;
  };
  columns.forEach((column, j) => {
    push(column.layer, 1);
    column.blocks.forEach((of, n) => {
      push(instance.layers + n, of / (instance.denseBlocks[n] as number));
    });
    column.losses.forEach((loss, p) => {
      push(instance.layers + column.blocks.length + p, loss);
    });
    starts[j + 1] = at;
    cost[j] = weigh(weights, column.losses);
  });
  return { cost, upper: new Float64Array(columns.length).fill(1), starts, indices, values };
}

/** Continuous columns that allow violations at `cost` per unit: of every density row and of every objective, in both directions. */
export function slackColumns(instance: Instance, cost: number): SparseColumns {
  const rows = instance.constraintLengths.length + instance.profileLengths.length;
  const entries = Array.from({ length: rows }, (_, i) => instance.layers + i).flatMap((row): [number, number][] => [
    [row, 1],
    [row, -1],
  ]);
  return {
    cost: new Float64Array(entries.length).fill(cost),
    upper: new Float64Array(entries.length).fill(Number.POSITIVE_INFINITY),
    starts: Int32Array.from({ length: entries.length + 1 }, (_, i) => i),
    indices: Int32Array.from(entries, ([row]) => row),
    values: Float64Array.from(entries, ([, value]) => value),
  };
}

/** `a` then `b`. */
export function joinColumns(a: SparseColumns, b: SparseColumns): SparseColumns {
  const shift = a.starts[a.starts.length - 1] as number;
  return {
    cost: concat(a.cost, b.cost),
    upper: concat(a.upper, b.upper),
    starts: Int32Array.from([...a.starts, ...b.starts.subarray(1).map((s) => s + shift)]),
    indices: Int32Array.from([...a.indices, ...b.indices]),
    values: concat(a.values, b.values),
  };
}

function concat(a: Float64Array, b: Float64Array): Float64Array {
  const out = new Float64Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}
