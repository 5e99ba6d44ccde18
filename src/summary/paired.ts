import type { PairedDifference } from '../evaluate/paired.ts';
import type { Paired } from './summary.ts';

/** A difference counts as established when its Holm-adjusted p-value is below this. */
const ALPHA = 0.05;

/** The comparison with the method `other`, not yet adjusted for a family. null stays null. */
export function toPaired(other: string, difference: PairedDifference | null): Paired | null {
  return difference === null ? null : { other, ...difference, pHolm: null, comparisons: 0 };
}

/** The direction of a difference after adjustment for its family; null when the difference can be chance. */
export function directionOf({ delta, pHolm }: Paired): 'up' | 'down' | null {
  if (pHolm === null || pHolm >= ALPHA) return null;
  return delta.estimate < 0 ? 'down' : 'up';
}
