import { MoaError } from '../core/errors.ts';
import type { Cell } from '../suite/cells.ts';

/** Patterns of `--only`. A cell is chosen when its id, kind or method matches a pattern; `*` stands for anything. An empty list chooses all cells. */
export type CellFilter = readonly string[];

/** The chosen cells, with the plan cells that they need. @throws INVALID_ARGUMENT for a pattern that matches no cell. */
export function selectCells(cells: readonly Cell[], only: CellFilter): readonly Cell[] {
  if (only.length === 0) return cells;
  const chosen = new Set(only.flatMap((pattern) => matching(cells, pattern)));
  const methods = new Set(Array.from(chosen, (cell) => cell.method));
  return cells.filter((cell) => chosen.has(cell) || (cell.kind === 'plan' && methods.has(cell.method)));
}

function matching(cells: readonly Cell[], pattern: string): readonly Cell[] {
  const expression = toRegExp(pattern);
  const found = cells.filter((cell) => [cell.id, cell.kind, cell.method].some((name) => expression.test(name)));
  if (found.length > 0) return found;
  const ids = cells.slice(0, 3).map((cell) => cell.id);
  throw new MoaError(`Expected --only to match a cell but ${pattern} matches none of ${cells.length}`, {
    code: 'INVALID_ARGUMENT',
    hint: `Ids look like ${ids.join(', ')}; see --dry-run for all.`,
  });
}

function toRegExp(pattern: string): RegExp {
  const escaped = pattern.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*');
  return new RegExp(`^${escaped}$`);
}
