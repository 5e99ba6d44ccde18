import { MoaError } from '../core/errors.ts';
import { recordsOf } from '../records/record.ts';
import type { Cell } from '../suite/cells.ts';
import { now, type RunContext } from './context.ts';

/** A cell that is being worked on, with its address. */
export interface OpenCell<C extends Cell = Cell> {
  readonly cell: C;
  readonly hash: string;
}

/** Whether the records hold a completed result of an efficiency cell at this address. Failed and skipped cells are tried again. */
export function isCompleted(context: RunContext, hash: string): boolean {
  return context.store.isDone(hash, null);
}

export function recordCompleted(context: RunContext, { cell, hash }: OpenCell, startedMs: number): void {
  const wallMs = performance.now() - startedMs;
  context.store.append({ kind: 'outcome', time: now(), cell: hash, method: cell.method, cellId: cell.id, status: 'completed', wallMs });
}

export function recordSkipped(context: RunContext, { cell, hash }: OpenCell, reason: string): void {
  const last = recordsOf(context.store.records, 'outcome').findLast(({ cellId }) => cellId === cell.id);
  if (last?.status === 'skipped' && last.cell === hash && last.reason === reason) return; // told before
  context.store.append({ kind: 'outcome', time: now(), cell: hash, method: cell.method, cellId: cell.id, status: 'skipped', reason });
}

/** Records what went wrong, so that one bad cell never ends a run. Throws an abort and a failing disk again: they are not the fault of the cell. */
export function recordFailed(context: RunContext, { cell, hash }: OpenCell, failure: unknown, sampleId: string | null = null): void {
  if (context.signal.aborted || (failure instanceof MoaError && (failure.code === 'ABORTED' || failure.code === 'IO'))) throw failure;
  const known = failure instanceof MoaError;
  const error = {
    code: known ? failure.code : 'INTERNAL',
    message: failure instanceof Error ? failure.message : String(failure),
    hint: known ? (failure.hint ?? null) : null,
    sampleId,
  };
  context.store.append({ kind: 'outcome', time: now(), cell: hash, method: cell.method, cellId: cell.id, status: 'failed', error });
}
