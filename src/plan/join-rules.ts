import { BLOCK_TOKENS } from '../core/blocks.ts';
import { invalidArgument } from '../core/errors.ts';
import { type Rule, ruleKey } from './rule.ts';
import { spanOfRule } from './spans.ts';

export interface JoinedRules {
  readonly rule: Rule;
  /** Distinct rules among those joined. */
  readonly distinct: number;
  /** None of the rules has the largest span at every length; `rule` is a new one above them all. */
  readonly crossed: boolean;
}

/**
 * One rule that gives every head of a group at least its own span at each of the lengths. Where one of the rules does, that one (the
 * smallest such). Rules may cross, so that each is the largest somewhere; the largest of several linear rules is convex in N, so its chord
 * between the shortest and the longest length is the least linear rule above all of them there: exact at both ends, more between.
 */
export function joinRules(rules: readonly Rule[], lengths: readonly number[], sink: number): JoinedRules {
  if (lengths.length === 0) throw invalidArgument('at least one length', 'lengths', lengths);
  const distinct = [...new Map(rules.map((rule) => [ruleKey(rule), rule])).values()];
  const serves = (rule: Rule): boolean =>
    lengths.every((tokens) => distinct.every((other) => spanOfRule(rule, tokens, sink) >= spanOfRule(other, tokens, sink)));
  const total = (rule: Rule): number => lengths.reduce((sum, tokens) => sum + (rule.alpha + rule.beta * tokens), 0);
  const serving = distinct.filter(serves).sort((a, b) => total(a) - total(b));
  // Beyond the lengths the steeper of equals is the safer one.
  const own = serving.length > 0 ? serving.reduce((a, b) => (total(b) === total(a) && b.beta > a.beta ? b : a)) : undefined;
  if (own !== undefined) return { rule: own, distinct: distinct.length, crossed: false };
  const [low, high] = [Math.min(...lengths), Math.max(...lengths)];
  const largest = (tokens: number): number => Math.max(...distinct.map(({ alpha, beta }) => alpha + beta * tokens));
  const beta = (largest(high) - largest(low)) / (high - low);
  const alpha = largest(low) - beta * low;
  // Rounding of the chord may lose a token, which may be a block: lift it until it holds, which takes one step.
  let rule = { alpha, beta };
  for (let lift = 1; !serves(rule) && lift <= BLOCK_TOKENS; lift++) rule = { alpha: Math.floor(alpha) + lift, beta };
  return { rule, distinct: distinct.length, crossed: true };
}
