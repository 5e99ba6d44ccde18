import { type CacheLayout, cacheLayout } from '../plan/cache-layout.ts';
import type { Plan } from '../plan/schema.ts';
import { WITHOUT_PLAN } from '../records/record.ts';
import type { Cell, MaxBatchCell, PlanCell, TimedCell } from '../suite/cells.ts';
import { addressOf } from './addresses.ts';
import type { RunContext } from './context.ts';
import { type OpenCell, recordSkipped } from './outcome.ts';

/** A cell of scores or timings with its address, and the plan of its method. */
export type Contender<C extends Exclude<Cell, PlanCell>> = OpenCell<C> & { readonly plan: Plan };

/** A contender of an efficiency cell, with the cache layout that each of its sequences has. */
export type TimedContender<C extends TimedCell | MaxBatchCell = TimedCell> = Contender<C> & { readonly layout: CacheLayout };

/** The cells whose method has a plan; the others are recorded as skipped. */
export function contendersOf<C extends Exclude<Cell, PlanCell>>(context: RunContext, cells: readonly C[]): Contender<C>[] {
  return cells.flatMap((cell) => {
    const plan = context.plans.get(cell.method);
    if (plan !== undefined) return [{ cell, plan, hash: addressOf(cell, context).cell }];
    recordSkipped(context, { cell, hash: WITHOUT_PLAN }, `method ${cell.method} has no plan (see its failed record)`);
    return [];
  });
}

/** As `contendersOf`, for cells of efficiency. */
export function timedContendersOf<C extends TimedCell | MaxBatchCell>(context: RunContext, cells: readonly C[]): TimedContender<C>[] {
  return contendersOf(context, cells).map((contender) => {
    const { cell, plan } = contender;
    const grows = cell.cache === 'dynamic';
    const layout = cacheLayout(plan, { promptTokens: cell.length, newTokens: 0, dtype: context.suite.model.kvDType, grows });
    return { ...contender, layout };
  });
}
