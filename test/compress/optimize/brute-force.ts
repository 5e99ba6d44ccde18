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
  const densities = constraintLengths.map((tokens) =>
    rules.map((rule) => spanOfRule(rule, tokens, 64) / (heads * Math.ceil(tokens / 64) * 64)),
  );
  const tables = profileLengths.map((tokens) => problem.lossTables.get(tokens) as Float64Array);
  const sumOver = (value: (r: number, head: number) => number): number => {
    let sum = 0;
    for (let head = 0; head < heads; head++) sum += value(choice[head] as number, head);
    return sum;
  };
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
    for (const [n, of] of densities.entries()) {
      const density = sumOver((r) => of[r] as number);
      if (density < (problem.lower[n] as number) - 1e-9 || density > (problem.upper[n] as number) + 1e-9) return;
    }
    found.push(tables.map((table) => sumOver((r, head) => table[head * rules.length + r] as number)));
  };
  visit(0);
  return found;
}
