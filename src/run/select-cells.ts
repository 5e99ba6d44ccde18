import { MoaError } from '../core/errors.ts';
import type { Cell } from '../suite/cells.ts';

/** Patterns of `--only`: a cell is chosen when its id, its kind or its method matches one; `*` stands for anything. None: all. */
export type CellFilter = readonly string[];

/** The chosen cells, with the plans that they need. */
export function selectCells(cells: readonly Cell[], only: CellFilter): readonly Cell[] {
  if (only.length === 0) return cells;
  const patterns = only.map(toRegExp);
  const chosen = cells.filter((cell) => patterns.some((p) => p.test(cell.id) || p.test(cell.kind) || p.test(cell.method)));
  if (chosen.length === 0) {
    throw new MoaError(`Expected --only to match a cell but ${only.join(', ')} matches none of ${cells.length}`, {
      code: 'INVALID_ARGUMENT',
      hint: `Ids look like ${cells
        .slice(0, 3)
        .map((cell) => cell.id)
        .join(', ')}; see --dry-run for all.`,
    });
  }
  const methods = new Set(chosen.map((cell) => cell.method));
  return cells.filter((cell) => chosen.includes(cell) || (cell.kind === 'plan' && methods.has(cell.method)));
}

function toRegExp(pattern: string): RegExp {
  const escaped = pattern.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*');
  return new RegExp(`^${escaped}$`);
}
