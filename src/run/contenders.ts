import { type CacheLayout, cacheLayout } from '../plan/cache-layout.ts';
import { WITHOUT_PLAN } from '../records/record.ts';
import type { DecodeCell, MaxBatchCell, PrefillCell } from '../suite/cells.ts';
import { cellHash } from './cell-hash.ts';
import type { RunContext } from './context.ts';
import { type OpenCell, recordSkipped } from './outcome.ts';

export type TimedCell = PrefillCell | DecodeCell;

/** A cell of efficiency with its address and the cache of each of its sequences. */
export type Contender<C extends TimedCell | MaxBatchCell = TimedCell> = OpenCell<C> & { readonly layout: CacheLayout };

/** The cells whose method has a plan; the others are recorded as skipped. */
export function contendersOf<C extends TimedCell | MaxBatchCell>(context: RunContext, cells: readonly C[]): Contender<C>[] {
  return cells.flatMap((cell) => {
    const plan = context.plans.get(cell.method);
    if (plan === undefined) {
      recordSkipped(context, { cell, hash: WITHOUT_PLAN }, `method ${cell.method} has no plan (see its failed record)`);
      return [];
    }
    const layout = cacheLayout(plan, {
      promptTokens: contextTokensOf(cell),
      newTokens: 0,
      dtype: context.suite.model.kvDType,
      grows: cell.cache === 'dynamic',
    });
    return [{ cell, hash: cellHash(cell, context.suite, context.identity, plan), layout }];
  });
}

/** N of a cell: prompt and new tokens together, where spans and budgets are fixed. */
export function contextTokensOf(cell: TimedCell | MaxBatchCell): number {
  switch (cell.kind) {
    case 'prefill':
      return cell.length;
    case 'decode':
      return cell.context;
    case 'maxBatch':
      return cell.contextTokens;
  }
}
