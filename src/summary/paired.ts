import type { PairedDifference } from '../evaluate/paired.ts';
import type { Paired } from './summary.ts';

/** Below this Holm-adjusted p-value a difference is stated as one. */
const ALPHA = 0.05;

/** A difference from the method `other`, not adjusted for a family yet; null stays null. */
export function toPaired(other: string, difference: PairedDifference | null): Paired | null {
  return difference === null ? null : { other, ...difference, pHolm: null, comparisons: 0 };
}

/** Which way a difference goes, after adjustment for its family; null where chance may have made it. */
export function directionOf({ delta, pHolm }: Paired): 'up' | 'down' | null {
  if (pHolm === null || pHolm >= ALPHA) return null;
  return delta.estimate < 0 ? 'down' : 'up';
}
