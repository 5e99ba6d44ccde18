import { BLOCK_TOKENS, ceilToBlock } from '../../core/blocks.ts';
import { invalidArgument, MoaError } from '../../core/errors.ts';
import { type Rule, ruleKey } from '../../plan/rule.ts';
import type { Heterogeneity } from '../../plan/schema.ts';

export interface RuleSpaceOptions {
  readonly heterogeneity: Heterogeneity;
  readonly profileLengths: readonly number[];
  readonly constraintLengths: readonly number[];
  /** Mean density that may be spent at each constrained length. */
  readonly budget: number;
  /** Proportional rules are multiples of 1 / betaSteps; 8 gives the released space, 16 also its half steps. */
  readonly betaSteps?: number;
}

/**
 * The candidate rules of a heterogeneity switch. The plans that the switches allow are nested sets at equal budget, so that every step
 * can only lower the predicted loss:
 * - `uniform`: one proportional rule for the whole model,
 * - `layers`: one proportional rule per layer,
 * - `heads`: proportional rules per head (at most R a layer),
 * - `elastic`: proportional rules and the released ones, scaled to the lengths, per head (at most R a layer).
 * Proportional rules have alpha = 0. One more rule spends the budget exactly or, where the budget is no whole number of blocks at some
 * length, rounded down to whole blocks. With this rule, the uniform plan exists.
 */
export function candidateRules(options: RuleSpaceOptions): Rule[] {
  const { heterogeneity, budget, betaSteps = 16 } = options;
  if (!(Number.isInteger(betaSteps) && betaSteps >= 1 && betaSteps <= 64))
    throw invalidArgument('an integer from 1 to 64', 'betaSteps', betaSteps);
  const rules: Rule[] = [budgetRule(budget, options.constraintLengths)];
  for (let k = 1; k <= betaSteps; k++) rules.push({ alpha: 0, beta: k / betaSteps });
  if (heterogeneity === 'elastic') rules.push(...scaledReleasedRules(options.profileLengths, options.constraintLengths));
  const distinct = [...new Map(rules.map((rule) => [ruleKey(rule), rule])).values()];
  return sortRules(distinct, Math.max(...options.profileLengths, ...options.constraintLengths));
}

/** Distance of the released alphas, tokens. */
const RELEASED_STEP = 1024;

/**
 * The search space of the released optimizer (docs/method.md, optimizer): alphas evenly from -shortest to the longest profiled length, about 1,024
 * apart, beta in eighths. 48 rules for 2k/4k/8k profiled and 16k constrained.
 * @throws INVALID_ARGUMENT where the lengths are so short that it has no rule.
 */
export function releasedRules(profileLengths: readonly number[], constraintLengths: readonly number[]): Rule[] {
  const shortest = Math.min(...profileLengths, ...constraintLengths);
  const width = Math.max(...profileLengths) + shortest;
  const steps = Math.floor(width / RELEASED_STEP);
  const alphas = Array.from({ length: steps + 1 }, (_, i) => -shortest + (steps === 0 ? 0 : (width * i) / steps));
  const rules = rulesOfAlphas(alphas, profileLengths, constraintLengths);
  if (rules.length > 0) return rules;
  throw new MoaError(`Expected lengths for which the released search space has a rule but received none from ${shortest} tokens on`, {
    code: 'INVALID_ARGUMENT',
    hint: 'Its alphas are 1,024 tokens apart: profile and constrain longer lengths, or set compress.candidates to extended.',
  });
}

/** The same space scaled to other lengths: alphas are half the shortest length apart. */
export function scaledReleasedRules(profileLengths: readonly number[], constraintLengths: readonly number[]): Rule[] {
  const step = Math.max(BLOCK_TOKENS, ceilToBlock(Math.min(...profileLengths, ...constraintLengths) / 2));
  const alphas: number[] = [];
  for (let alpha = -2 * step; alpha <= Math.max(...profileLengths); alpha += step) alphas.push(alpha);
  return rulesOfAlphas(alphas, profileLengths, constraintLengths);
}

/** Rules of these alphas and betas in eighths whose span is positive at the shortest length, and within the longest profiled and the longest of all. */
function rulesOfAlphas(alphas: readonly number[], profileLengths: readonly number[], constraintLengths: readonly number[]): Rule[] {
  const shortest = Math.min(...profileLengths, ...constraintLengths);
  const profiled = Math.max(...profileLengths);
  const longest = Math.max(...profileLengths, ...constraintLengths);
  const rules = alphas.flatMap((alpha) => Array.from({ length: 9 }, (_, eighths) => ({ alpha, beta: eighths / 8 })));
  const fits = ({ alpha, beta }: Rule): boolean =>
    alpha + beta * profiled <= profiled && alpha + beta * longest <= longest && alpha + beta * shortest > 0;
  return sortRules(rules.filter(fits), longest);
}

/**
 * The proportional rule that spends the budget at every length: budget * N, or 63 tokens less where that is no whole number of blocks,
 * which turns the runtime's rounding up into rounding down.
 */
export function budgetRule(budget: number, lengths: readonly number[]): Rule {
  const whole = lengths.every((tokens) => Number.isInteger((budget * tokens) / BLOCK_TOKENS));
  return { alpha: whole ? 0 : 1 - BLOCK_TOKENS, beta: budget };
}

/** By span at the longest length, then by alpha, as the released files are. */
function sortRules(rules: readonly Rule[], longest: number): Rule[] {
  return [...rules].sort((a, b) => a.alpha + a.beta * longest - (b.alpha + b.beta * longest) || a.alpha - b.alpha);
}
