import { MoaError } from '../core/errors.ts';
import type { Cell } from '../suite/cells.ts';
import { now, type RunContext } from './context.ts';

/** A cell that is under way, with its address. */
export interface OpenCell<C extends Cell = Cell> {
  readonly cell: C;
  readonly hash: string;
}

/** Whether an earlier run closed the cell with a result; failed and skipped ones are tried again. */
export function isCompleted(context: RunContext, hash: string): boolean {
  return context.store.outcomeOf(hash)?.status === 'completed';
}

export function recordCompleted(context: RunContext, { cell, hash }: OpenCell, startedMs: number): void {
  const wallMs = performance.now() - startedMs;
  context.store.append({ kind: 'outcome', time: now(), cell: hash, method: cell.method, cellId: cell.id, status: 'completed', wallMs });
}

export function recordSkipped(context: RunContext, { cell, hash }: OpenCell, reason: string): void {
  context.store.append({ kind: 'outcome', time: now(), cell: hash, method: cell.method, cellId: cell.id, status: 'skipped', reason });
}

/** Records what went wrong, so that one bad cell never ends a run. An abort and a failing disk are not the cell's fault: they are thrown on. */
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
