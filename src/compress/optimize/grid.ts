import type { Subproblem } from './relaxation.ts';

/** What a solve asks of the objectives that it does not minimize: an upper cap, or, as released, both ends of an interval. */
export type GridKind = 'caps' | 'intervals';

/** A subproblem, and which objective it is for. */
export type GridPoint = Subproblem & { readonly primary: number };

interface Range {
  readonly low: number;
  readonly high: number;
}

/**
 * Weight of the other objectives, in units of equal mean loss; the primary one has weight 1. Without it, a plan could be arbitrarily bad at
 * other lengths for no gain, because many rules have equal spans at one length. The grid would then divide ranges that are far too wide.
 */
const OTHERS_WEIGHT = 0.01;
const UNBOUNDED: Range = { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };

/** The least loss of each objective, whatever the others come to. */
export function singleObjectives(objectives: number): GridPoint[] {
  return Array.from({ length: objectives }, (_, primary) => gridPoint(primary, new Array<Range>(objectives).fill(UNBOUNDED), 0));
}

/** Of the plans whose primary loss is at most `least`, the one whose other losses are least together. */
export function tieBreak(single: GridPoint, least: number): GridPoint {
  const ranges = single.caps.map((_, p) => (p === single.primary ? { ...UNBOUNDED, high: least } : UNBOUNDED));
  return gridPoint(single.primary, ranges, OTHERS_WEIGHT);
}

/**
 * The epsilon-constraint grid (docs/method.md, optimizer): for each primary objective, every combination of intervals of the others' ranges, loosest first.
 * - `caps`: only the upper ends bind, and the others have a small weight. A lower end can only make a plan worse in
 *   an objective, and the neighbouring caps find the plans that it would find.
 * - `intervals`: both ends bind, and only the primary objective counts, as in the released code.
 */
export function epsilonGrid(ranges: readonly Range[], intervals: number, kind: GridKind): GridPoint[] {
  return ranges.flatMap((_, primary) => {
    let combinations: (readonly Range[])[] = [[]];
    ranges.forEach((range, p) => {
      const parts = p === primary || range.high <= range.low ? [UNBOUNDED] : partsOf(range, intervals, kind);
      combinations = combinations.flatMap((chosen) => parts.map((part) => [...chosen, part]));
    });
    return combinations.map((chosen) => gridPoint(primary, chosen, kind === 'caps' ? OTHERS_WEIGHT : 0));
  });
}

function partsOf({ low, high }: Range, intervals: number, kind: GridKind): Range[] {
  const at = (i: number): number => low + ((high - low) * i) / intervals;
  return Array.from({ length: intervals }, (_, i) => ({
    low: kind === 'caps' ? Number.NEGATIVE_INFINITY : at(intervals - i - 1),
    high: at(intervals - i),
  }));
}

function gridPoint(primary: number, ranges: readonly Range[], othersWeight: number): GridPoint {
  return {
    primary,
    weights: ranges.map((_, p) => (p === primary ? 1 : othersWeight)),
    caps: ranges.map(({ high }) => high),
    floors: ranges.map(({ low }) => low),
  };
}

/** Whether the objective is the same and every plan of `inner` is a plan of `outer`. */
export function isWithin(inner: GridPoint, outer: GridPoint): boolean {
  return (
    inner.primary === outer.primary &&
    inner.weights.every((weight, p) => weight === outer.weights[p]) &&
    inner.caps.every((cap, p) => cap <= (outer.caps[p] as number)) &&
    inner.floors.every((floor, p) => floor >= (outer.floors[p] as number))
  );
}
