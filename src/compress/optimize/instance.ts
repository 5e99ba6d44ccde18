import { BLOCK_TOKENS } from '../../core/blocks.ts';
import { invalidArgument } from '../../core/errors.ts';
import type { OnProgress } from '../../core/progress.ts';
import type { Rule } from '../../plan/rule.ts';
import type { Heterogeneity } from '../../plan/schema.ts';
import { type Pricing, ruleBlocks } from '../rule-blocks.ts';
import type { GridKind } from './grid.ts';
import { budgetRule } from './rules.ts';

/** The least that is spent at every constrained length: a share of the budget, or of what the uniform plan of that budget spends of it in whole blocks. */
interface LowerBound {
  readonly fraction: number;
  readonly of: 'uniform' | 'budget';
}

/** An upper bound alone would leave elastic rules too little at the lengths that are not profiled. */
const LOWER_BOUND: LowerBound = { fraction: 0.98, of: 'uniform' };

export interface OptimizeOptions {
  /** One objective each. */
  readonly profileLengths: readonly number[];
  /** Profile length -> predicted loss of giving each head each rule, [layers, kvHeads, rules], nats; finite, of any sign. */
  readonly lossTables: ReadonlyMap<number, Float64Array>;
  readonly rules: readonly Rule[];
  /** Lengths at which the mean density stays within its bounds. */
  readonly constraintLengths: readonly number[];
  /** Upper bound of the mean density, in (0, 1]. */
  readonly budget: number;
  /** Default: 0.98 of what the uniform plan spends. */
  readonly lowerBound?: LowerBound | undefined;
  /** What densities count, and what the loss tables were made with. Default `cache`. */
  readonly pricing?: Pricing | undefined;
  readonly layers: number;
  readonly kvHeads: number;
  /** Tokens of every span that are never evicted. */
  readonly sink: number;
  /** Maximum number of distinct rules in one layer. Default 2; with heterogeneity `layers` it is always 1. */
  readonly rulesPerLayer?: number | undefined;
  readonly heterogeneity: Heterogeneity;
  /** What the epsilon-constraint grid asks of the other objectives; see `epsilonGrid`. Default `caps`. */
  readonly grid?: GridKind | undefined;
  /** Intervals of each objective's range in the epsilon-constraint grid. Default 4, as released. */
  readonly intervals?: number | undefined;
  /** The proven gap at which the search for a better plan stops. Default 0.005. */
  readonly maxGap?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

/** A problem in the form that pricing reads: arrays by rule and head, densities in whole blocks. */
export interface Instance {
  readonly layers: number;
  readonly heads: number;
  readonly rules: readonly Rule[];
  readonly rulesPerLayer: number;
  readonly profileLengths: readonly number[];
  readonly constraintLengths: readonly number[];
  /** Per objective [layers, rules, heads], in units of `scale[p]`. */
  readonly losses: readonly Float64Array[];
  /** Nats per unit. The unit brings objectives into the range that suits the solver's tolerances. */
  readonly scale: readonly number[];
  /** Per constrained length [rules]: blocks of a head with that rule. */
  readonly blocks: readonly Int32Array[];
  /** Blocks of a dense head. */
  readonly denseBlocks: readonly number[];
  /** Bounds of the blocks of all heads together. */
  readonly lowerBlocks: readonly number[];
  readonly upperBlocks: readonly number[];
}

/**
 * The losses summed over heads, averaged over rules, are this many units. Optima are about 1e-3 of that, far above HiGHS's tolerances of
 * 1e-7.
 */
const MEAN_UNITS = 1e4;

/** Checks the options and lays them out. @throws INVALID_ARGUMENT naming what is wrong. */
export function createInstance(options: OptimizeOptions): Instance {
  checkOptions(options);
  const { rules, layers, kvHeads: heads, profileLengths, constraintLengths, pricing = 'cache' } = options;
  const laidOut = profileLengths.map((length) => layOut(tableOf(options, length), { layers, heads, rules: rules.length }));
  const denseBlocks = constraintLengths.map((tokens) => Math.ceil(tokens / BLOCK_TOKENS));
  const blocks = constraintLengths.map((tokens) => Int32Array.from(rules, (rule) => ruleBlocks(rule, tokens, options.sink, pricing)));
  const total = layers * heads;
  return {
    layers,
    heads,
    rules,
    rulesPerLayer: options.heterogeneity === 'layers' ? 1 : (options.rulesPerLayer ?? 2),
    profileLengths,
    constraintLengths,
    losses: laidOut.map((entry) => entry.losses),
    scale: laidOut.map((entry) => entry.scale),
    blocks,
    denseBlocks,
    lowerBlocks: constraintLengths.map((tokens) => Math.ceil(leastBlocks(options, tokens) * total - 1e-6)),
    upperBlocks: denseBlocks.map((dense) => Math.floor(options.budget * dense * total + 1e-6)),
  };
}

/** The lower bound in blocks of a head. */
function leastBlocks(options: OptimizeOptions, tokens: number): number {
  const { budget, constraintLengths, sink, pricing = 'cache', lowerBound = LOWER_BOUND } = options;
  const budgeted = budget * Math.ceil(tokens / BLOCK_TOKENS);
  if (lowerBound.of === 'budget') return lowerBound.fraction * budgeted;
  // At 1,024 tokens, a uniform plan with a budget of 0.3 has 4 of 16 blocks. A lower bound of 0.98 * 0.3 would rule it out.
  return lowerBound.fraction * Math.min(budgeted, ruleBlocks(budgetRule(budget, constraintLengths), tokens, sink, pricing));
}

function layOut(table: Float64Array, shape: { readonly layers: number; readonly heads: number; readonly rules: number }) {
  const { layers, heads, rules } = shape;
  let magnitude = 0;
  for (const value of table) magnitude += Math.abs(value);
  const scale = magnitude > 0 ? magnitude / rules / MEAN_UNITS : 1;
  const losses = new Float64Array(table.length);
  for (let layer = 0; layer < layers; layer++) {
    for (let head = 0; head < heads; head++) {
      for (let r = 0; r < rules; r++) {
        losses[(layer * rules + r) * heads + head] = (table[(layer * heads + head) * rules + r] as number) / scale;
      }
    }
  }
  return { losses, scale };
}

function tableOf(options: OptimizeOptions, length: number): Float64Array {
  const table = options.lossTables.get(length);
  const size = options.layers * options.kvHeads * options.rules.length;
  if (table === undefined) throw invalidArgument(`a loss table at ${length} tokens`, 'lossTables', [...options.lossTables.keys()]);
  if (table.length !== size)
    throw invalidArgument(`${size} losses (layers x kvHeads x rules)`, `lossTables at ${length} tokens`, table.length);
  const wrong = table.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0) throw invalidArgument('a finite loss', `lossTables at ${length} tokens, entry ${wrong}`, table[wrong]);
  return table;
}

function checkOptions(options: OptimizeOptions): void {
  const integers = {
    layers: options.layers,
    kvHeads: options.kvHeads,
    rulesPerLayer: options.rulesPerLayer ?? 2,
    intervals: options.intervals ?? 4,
  };
  for (const [name, value] of Object.entries(integers)) {
    if (!(Number.isSafeInteger(value) && value >= 1)) throw invalidArgument('a positive integer', name, value);
  }
  for (const name of ['profileLengths', 'constraintLengths'] as const) {
    const lengths = options[name];
    const valid = lengths.length > 0 && lengths.every((n) => Number.isSafeInteger(n) && n >= 1) && new Set(lengths).size === lengths.length;
    if (!valid) throw invalidArgument('distinct positive lengths, at least one', name, lengths);
  }
  if (options.rules.length < 1 || options.rules.length > 4096) throw invalidArgument('1 to 4096 rules', 'rules', options.rules.length);
  if (!(options.budget > 0 && options.budget <= 1)) throw invalidArgument('a density in (0, 1]', 'budget', options.budget);
  const { fraction } = options.lowerBound ?? LOWER_BOUND;
  if (!(fraction >= 0 && fraction <= 1)) throw invalidArgument('a share in [0, 1]', 'lowerBound.fraction', fraction);
  const maxGap = options.maxGap ?? 0.005;
  if (!(maxGap >= 0 && maxGap < 1)) throw invalidArgument('a ratio in [0, 1)', 'maxGap', maxGap);
}
