import { type Cell, groupOf } from '../suite/cells.ts';

/** Cells of the same comparison together (they differ only in the method), in order of first appearance. */
export function inGroups<C extends Cell>(cells: readonly C[]): readonly (readonly C[])[] {
  const groups = new Map<string, C[]>();
  for (const cell of cells) {
    const key = groupOf(cell);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [cell]);
    else group.push(cell);
  }
  return [...groups.values()];
}
