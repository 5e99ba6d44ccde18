import { groupBy } from '../core/group-by.ts';
import { type Cell, groupOf } from '../suite/cells.ts';

/** The cells grouped by comparison, in order of first appearance. The cells of a group differ only in the method. */
export function inGroups<C extends Cell>(cells: readonly C[]): readonly (readonly C[])[] {
  return [...groupBy(cells, groupOf).values()];
}
