import { BLOCK_TOKENS, ceilToBlock } from '../../core/blocks.ts';
import { invalidArgument } from '../../core/errors.ts';
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
 * - `elastic`: proportional and released rules per head (at most R a layer).
 * Proportional rules have alpha = 0. One more rule spends the budget exactly or, where the budget is no whole number of blocks at some
 * length, rounded down to whole blocks. With this rule, the uniform plan exists.
 */
export function candidateRules(options: RuleSpaceOptions): Rule[] {
  const { heterogeneity, budget, betaSteps = 16 } = options;
  if (!(Number.isInteger(betaSteps) && betaSteps >= 1 && betaSteps <= 64))
    throw invalidArgument('an integer from 1 to 64', 'betaSteps', betaSteps);
  const rules: Rule[] = [budgetRule(budget, options.constraintLengths)];
  for (let k = 1; k <= betaSteps; k++) rules.push({ alpha: 0, beta: k / betaSteps });
  if (heterogeneity === 'elastic') rules.push(...releasedRules(options.profileLengths, options.constraintLengths));
  const distinct = [...new Map(rules.map((rule) => [ruleKey(rule), rule])).values()];
  return sortRules(distinct, Math.max(...options.profileLengths, ...options.constraintLengths));
}

/**
 * The search space of the released optimizer, scaled to other lengths (docs/method.md, optimizer): alpha goes from -shortest to the longest
 * profiled length in steps of half the shortest, and beta in eighths. A rule is kept when its span is positive at the shortest length, and
 * no longer than the sequence at the longest profiled and at the longest constrained length. These are 48 rules for 2k/4k/8k profiled and
 * 16k constrained.
 */
export function releasedRules(profileLengths: readonly number[], constraintLengths: readonly number[]): Rule[] {
  const shortest = Math.min(...profileLengths, ...constraintLengths);
  const profiled = Math.max(...profileLengths);
  const longest = Math.max(...profileLengths, ...constraintLengths);
  const step = Math.max(BLOCK_TOKENS, ceilToBlock(shortest / 2));
  const rules: Rule[] = [];
  for (let alpha = -2 * step; alpha <= profiled; alpha += step) {
    for (let eighths = 0; eighths <= 8; eighths++) {
      const beta = eighths / 8;
      const within = alpha + beta * profiled <= profiled && alpha + beta * longest <= longest;
      if (within && alpha + beta * shortest > 0) rules.push({ alpha, beta });
    }
  }
  return sortRules(rules, longest);
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
