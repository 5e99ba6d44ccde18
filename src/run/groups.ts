import { groupBy } from '../core/group-by.ts';
import { type Cell, groupOf } from '../suite/cells.ts';

/** Cells of the same comparison together (they differ only in the method), in order of first appearance. */
export function inGroups<C extends Cell>(cells: readonly C[]): readonly (readonly C[])[] {
  return [...groupBy(cells, groupOf).values()];
}
