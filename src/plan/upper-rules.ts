import { type HeadRules, type Rule, ruleKey } from './rule.ts';

/**
 * The fewest rules that are together as large as all of them at every length from one token up: the upper envelope of the lines alpha +
 * beta * N. They are in ascending order of beta; each is the largest from the length at which it crosses the one before it.
 */
export function upperRules(rules: HeadRules): HeadRules {
  const distinct = [...new Map(rules.map((rule) => [ruleKey(rule), rule])).values()];
  const kept: Rule[] = [];
  for (const rule of distinct.sort((a, b) => a.beta - b.beta || a.alpha - b.alpha)) {
    //     // A rule that the steeper one overtakes before the rule itself became the largest is the largest nowhere.
    while (kept.length > 0 && overtakes(rule, kept.at(-1) as Rule) <= startOf(kept)) kept.pop();
    kept.push(rule);
  }
  return kept as [Rule, ...Rule[]];
}

/** The shortest length at which a sequence exists. */
const FIRST = 1;

/** The length from which the last of the rules is the largest. */
function startOf(kept: readonly Rule[]): number {
  const [last, before] = [kept.at(-1), kept.at(-2)];
  return last === undefined || before === undefined ? FIRST : overtakes(last, before);
}

/** The length from which the steeper rule is the larger of the two; rules with equal beta are ordered by alpha. */
function overtakes(steeper: Rule, other: Rule): number {
  if (steeper.beta === other.beta) return Number.NEGATIVE_INFINITY;
  return (other.alpha - steeper.alpha) / (steeper.beta - other.beta);
}
