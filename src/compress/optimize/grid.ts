import type { Subproblem } from './relaxation.ts';

/** A subproblem, and which objective it is for. */
export type GridPoint = Subproblem & { readonly primary: number };

/**
 * Weight of the other objectives, in units of equal mean loss; the primary one has weight 1. Without it, a plan could be arbitrarily bad at
 * other lengths for no gain, because many rules have equal spans at one length. The grid would then divide ranges that are far too wide.
 */
const OTHERS_WEIGHT = 0.01;

function weightsOf(objectives: number, primary: number): number[] {
  return Array.from({ length: objectives }, (_, p) => (p === primary ? 1 : OTHERS_WEIGHT));
}

/** Each objective alone: the solves that give the objectives' ranges. */
export function singleObjectives(objectives: number): GridPoint[] {
  const caps = new Array<number>(objectives).fill(Number.POSITIVE_INFINITY);
  return Array.from({ length: objectives }, (_, primary) => ({ primary, weights: weightsOf(objectives, primary), caps }));
}

/**
 * The epsilon-constraint grid (docs/method.md, optimizer): for each primary objective, every combination of upper caps on the others,
 * loosest first. The range of an objective over the single-objective solutions is divided into intervals, and their upper ends are its
 * caps. The released code's intervals have lower ends too. They are left out here, because they can only make a plan worse in an objective,
 * and the neighbouring caps find the plans that they would find.
 */
export function epsilonGrid(ranges: readonly { readonly low: number; readonly high: number }[], intervals: number): GridPoint[] {
  const points: GridPoint[] = [];
  for (let primary = 0; primary < ranges.length; primary++) {
    let combinations: number[][] = [[]];
    ranges.forEach(({ low, high }, p) => {
      const ends = p === primary || high <= low ? [Number.POSITIVE_INFINITY] : capsOf(low, high, intervals);
      combinations = combinations.flatMap((caps) => ends.map((end) => [...caps, end]));
    });
    points.push(...combinations.map((caps) => ({ primary, weights: weightsOf(ranges.length, primary), caps })));
  }
  return points;
}

function capsOf(low: number, high: number, intervals: number): number[] {
  return Array.from({ length: intervals }, (_, i) => low + ((high - low) * (intervals - i)) / intervals);
}

/** Whether every plan of `inner` is a plan of `outer`. */
export function isWithin(inner: GridPoint, outer: GridPoint): boolean {
  return inner.primary === outer.primary && inner.caps.every((cap, p) => cap <= (outer.caps[p] as number));
}
