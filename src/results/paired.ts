import { holm } from '../core/statistics-tests.ts';
import type { PairedDifference } from '../evaluate/paired.ts';
import type { Paired } from './summary.ts';

/** A difference from the method `other` as a family of its own; null stays null. */
export function toPaired(other: string, difference: PairedDifference | null): Paired | null {
  return difference === null ? null : { other, ...difference, pHolm: difference.p };
}

/** Holm-adjusts a family of comparisons; missing ones stay missing. */
export function adjustFamily(family: readonly (Paired | null)[]): (Paired | null)[] {
  const present = family.filter((paired) => paired !== null);
  const adjusted = holm(present.map((paired) => paired.p));
  let next = 0;
  return family.map((paired) => (paired === null ? null : { ...paired, pHolm: adjusted[next++] as number }));
}
