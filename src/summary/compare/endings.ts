import { type Cell, expandCells, groupOf } from '../../suite/cells.ts';
import type { Comparison, EndingRow } from './comparison.ts';
import type { MethodPair, Side, Sides } from './sides.ts';

/** The cells that BASE completed and HEAD, though it was asked for them, did not; and the cells that one run completed and the other was not asked for. */
export function compareEndings(
  methods: readonly MethodPair[],
  { base, head }: Sides,
): Pick<Comparison, 'endings' | 'onlyBase' | 'onlyHead'> {
  const renamed = new Map(methods.map((pair) => [pair.base, pair.head]));
  const own = new Map(asked(head).map((cell) => [keyOf(cell, cell.method), cell]));
  const rows: EndingRow[] = [];
  const onlyBase: string[] = [];
  const met = new Set<string>();
  for (const cell of asked(base)) {
    const key = keyOf(cell, renamed.get(cell.method) ?? null);
    const match = own.get(key);
    if (match === undefined) {
      if (base.completed.has(cell.id)) onlyBase.push(cell.id);
      continue;
    }
    met.add(key);
    if (base.completed.has(cell.id) && !head.completed.has(match.id)) rows.push(endingOf(match, head));
  }
  const onlyHead = [...own].flatMap(([key, cell]) => (met.has(key) || !head.completed.has(cell.id) ? [] : [cell.id]));
  return { endings: rows, onlyBase, onlyHead };
}

/** The cells that a run was asked for: those of its suite, or the chosen ones among them. */
function asked({ suite, run }: Side): readonly Cell[] {
  const chosen = run.chosen === undefined ? null : new Set(run.chosen);
  return expandCells(suite).filter((cell) => chosen === null || chosen.has(cell.id));
}

/** A key that says what a cell measures. null: the other run lacks the method, so the key matches none of that run's cells. */
function keyOf(cell: Cell, method: string | null): string {
  const arm = 'cache' in cell ? `${cell.cache}/${'control' in cell && cell.control}` : '';
  return `${groupOf(cell)}/${method === null ? `only/${cell.id}` : method}/${arm}`;
}

function endingOf(cell: Cell, { selection }: Side): EndingRow {
  const outcome = selection.outcomes.find(({ cellId }) => cellId === cell.id);
  const row = { method: cell.method, cellId: cell.id };
  if (outcome?.status === 'failed') return { ...row, head: 'failed', verdict: 'worse', reason: outcome.error.message };
  if (outcome?.status === 'skipped') return { ...row, head: 'skipped', verdict: 'undecided', reason: outcome.reason };
  return { ...row, head: 'unfinished', verdict: 'undecided', reason: 'HEAD has not finished it' };
}
