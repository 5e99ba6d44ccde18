import type { ParetoPoint } from './front.ts';
import type { Instance } from './instance.ts';
import { unreachable } from './unreachable.ts';

/** One rule for the whole model: every rule that meets the density bounds, by enumeration, so that the gap is 0. */
export function uniformPoints(instance: Instance): ParetoPoint[] {
  const { layers, heads, rules, losses, scale, blocks, denseBlocks, profileLengths, constraintLengths } = instance;
  const total = layers * heads;
  const fill = (value: number): number[][] => Array.from({ length: layers }, () => new Array<number>(heads).fill(value));
  const points = rules.flatMap((rule, r): ParetoPoint[] => {
    const used = blocks.map((of) => (of[r] as number) * total);
    if (!used.every((value, n) => value >= (instance.lowerBlocks[n] as number) && value <= (instance.upperBlocks[n] as number))) return [];
    const loss = losses.map((table, p) => {
      let sum = 0;
      for (let layer = 0; layer < layers; layer++) {
        for (let h = 0; h < heads; h++) sum += table[(layer * rules.length + r) * heads + h] as number;
      }
      return sum * (scale[p] as number);
    });
    return [
      {
        alpha: fill(rule.alpha),
        beta: fill(rule.beta),
        objectives: Object.fromEntries(profileLengths.map((tokens, p) => [String(tokens), loss[p] as number])),
        densities: Object.fromEntries(
          constraintLengths.map((tokens, n) => [String(tokens), (used[n] as number) / (total * (denseBlocks[n] as number))]),
        ),
        primary: profileLengths[0] as number,
        gap: 0,
      },
    ];
  });
  if (points.length > 0) return points;
  throw unreachable(instance, true, nearestRule(instance));
}

/** Blocks of all heads, at each constrained length, of the rule that violates the bounds least. */
function nearestRule(instance: Instance): number[] {
  const { layers, heads, rules, blocks, lowerBlocks, upperBlocks, denseBlocks } = instance;
  const of = rules.map((_, r) => blocks.map((b) => (b[r] as number) * layers * heads));
  const violation = (used: readonly number[]): number =>
    used.reduce((sum, value, n) => {
      const miss = Math.max((lowerBlocks[n] as number) - value, value - (upperBlocks[n] as number), 0);
      return sum + miss / (denseBlocks[n] as number);
    }, 0);
  return of.reduce((best, used) => (violation(used) < violation(best) ? used : best));
}
