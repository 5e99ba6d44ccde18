import type { Rule } from '../../../src/plan/rule.ts';
import { spanOfRule } from '../../../src/plan/spans.ts';

export interface SmallProblem {
  readonly layers: number;
  readonly kvHeads: number;
  readonly rules: readonly Rule[];
  readonly rulesPerLayer: number;
  readonly profileLengths: readonly number[];
  readonly constraintLengths: readonly number[];
  readonly lossTables: ReadonlyMap<number, Float64Array>;
  readonly lower: readonly number[];
  readonly upper: readonly number[];
}

/** Losses per profile length of every feasible plan, by trying all assignments: an independent statement of the problem. */
export function allPlans(problem: SmallProblem): number[][] {
  const { layers, kvHeads, rules, rulesPerLayer, profileLengths, constraintLengths } = problem;
  const heads = layers * kvHeads;
  const found: number[][] = [];
  const choice = new Array<number>(heads).fill(0);
  const visit = (head: number): void => {
    if (head < heads) {
      for (let r = 0; r < rules.length; r++) {
        choice[head] = r;
        visit(head + 1);
      }
      return;
    }
    for (let layer = 0; layer < layers; layer++) {
      if (new Set(choice.slice(layer * kvHeads, (layer + 1) * kvHeads)).size > rulesPerLayer) return;
    }
    for (const [n, tokens] of constraintLengths.entries()) {
      const density = choice.reduce((sum, r) => sum + spanOfRule(rules[r] as Rule, tokens), 0) / (heads * Math.ceil(tokens / 64) * 64);
      if (density < (problem.lower[n] as number) - 1e-9 || density > (problem.upper[n] as number) + 1e-9) return;
    }
    found.push(
      profileLengths.map((tokens) =>
        choice.reduce((sum, r, head) => sum + (problem.lossTables.get(tokens)?.[head * rules.length + r] as number), 0),
      ),
    );
  };
  visit(0);
  return found;
}
