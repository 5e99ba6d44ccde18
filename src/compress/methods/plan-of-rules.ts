import { BLOCK_TOKENS } from '../../core/blocks.ts';
import type { LanguageModel } from '../../model/inference/language-model.ts';
import type { Rule } from '../../plan/rule.ts';
import type { Heterogeneity, Plan, Provenance } from '../../plan/schema.ts';
import { densitiesAt } from '../../plan/spans.ts';

/** The rules of a plan and what is said of them; see `planOfRules`. */
export interface PlanOfRules {
  readonly name: string;
  /** `imported` for the rules of a method that is not moabench's own. */
  readonly method: Plan['method'];
  readonly model: LanguageModel;
  /** Tokens, [layers][kvHeads]: span(N) = alpha + beta * N, rounded to whole blocks of 64. */
  readonly alpha: number[][];
  readonly beta: number[][];
  /** Tokens at the start that are never evicted, part of every span; a multiple of 64. */
  readonly sink: number;
  /** What differs between heads; null where that is not known. */
  readonly heterogeneity: Heterogeneity | null;
  /** Lengths whose density is written into the plan. */
  readonly lengths: readonly number[];
  /** Where the rules come from; `createdBy` is moabench where nothing else is said. */
  readonly provenance: Omit<Provenance, 'createdBy'> & Partial<Pick<Provenance, 'createdBy'>>;
}

/** A plan for this model from rules [layers][kvHeads], with its densities filled in. */
export function planOfRules(options: PlanOfRules): Plan {
  const { layers, heads, kvHeads, headDim } = options.model.config;
  const plan: Plan = {
    format: 'moabench-plan',
    version: 1,
    name: options.name,
    method: options.method,
    model: { name: options.model.name, weightsHash: options.model.weightsHash, layers, heads, kvHeads, headDim },
    block: BLOCK_TOKENS,
    sink: options.sink,
    heterogeneity: options.heterogeneity,
    rules: { alpha: options.alpha, beta: options.beta },
    densities: {},
    provenance: { createdBy: 'moabench', ...options.provenance },
  };
  return { ...plan, densities: densitiesAt(plan, options.lengths) };
}

/** The same rule for every layer and KV head, as [layers][kvHeads] matrices. */
export function sameRule(model: LanguageModel, rule: Rule): { alpha: number[][]; beta: number[][] } {
  const { layers, kvHeads } = model.config;
  const fill = (value: number): number[][] => Array.from({ length: layers }, () => new Array<number>(kvHeads).fill(value));
  return { alpha: fill(rule.alpha), beta: fill(rule.beta) };
}
