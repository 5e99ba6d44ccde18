import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { CompressResult } from '../compress/methods/method.ts';
import { compress } from '../compress/methods/registry.ts';
import { writeFileAtomic } from '../core/files.ts';
import { settle } from '../model/settle.ts';
import { loadPlan, planHash, savePlan } from '../plan/file.ts';
import type { Plan } from '../plan/schema.ts';
import { WITHOUT_PLAN } from '../results/record.ts';
import type { PlanCell } from '../suite/cells.ts';
import { planCellHash } from './cell-hash.ts';
import { now, type RunContext } from './context.ts';
import { isCompleted, type OpenCell, recordCompleted, recordFailed } from './outcome.ts';

/** Makes, or finds again, the plan of every method; a method without a plan has a failed record and no entry in `context.plans`. */
export async function makePlans(context: RunContext, cells: readonly PlanCell[]): Promise<void> {
  for (const cell of cells) {
    const path = planPath(context.folder, cell.method);
    let open: OpenCell<PlanCell> = { cell, hash: WITHOUT_PLAN };
    try {
      open = { cell, hash: planCellHash(cell, context.suite, context.suiteFolder, context.identity) };
      if (isCompleted(context, open.hash) && existsSync(path)) context.plans.set(cell.method, loadPlan(path));
      else await makePlan(context, open, path);
    } catch (error) {
      recordFailed(context, open, error);
      await settle(context.model);
    }
  }
}

/** Where the plan of a method is kept. */
export function planPath(folder: string, method: string): string {
  return join(folder, 'plans', `${method}.json`);
}

async function makePlan(context: RunContext, open: OpenCell<PlanCell>, path: string): Promise<void> {
  const started = performance.now();
  const result = await compress(open.cell.options, {
    model: context.model,
    suite: context.suite,
    suiteFolder: context.suiteFolder,
    profileFolder: join(context.folder, 'profile'),
    signal: context.signal,
    onProgress: (progress) => context.onProgress({ ...progress, detail: `${open.cell.method} ${progress.detail ?? ''}` }),
  });
  savePlan(path, result.plan);
  if (result.front !== null)
    writeFileAtomic(join(context.folder, 'plans', `${open.cell.method}.front.json`), `${JSON.stringify(result.front)}\n`);
  context.plans.set(open.cell.method, result.plan);
  recordCompression(context, open, result, { path, wallMs: performance.now() - started });
  recordCompleted(context, open, started);
}

function recordCompression(
  context: RunContext,
  { cell, hash }: OpenCell<PlanCell>,
  { plan, profiles, front }: CompressResult,
  made: { readonly path: string; readonly wallMs: number },
): void {
  const common = { time: now(), cell: hash, method: cell.method };
  for (const { profile, path, reused, wallMs } of profiles) {
    context.store.append({
      kind: 'profile',
      ...common,
      profileHash: profile.calibrationHash,
      path: relative(context.folder, path),
      reused,
      tokens: profile.length,
      samples: profile.samples,
      bins: profile.bins,
      lossMean: profile.lossSum / profile.samples,
      wallMs,
    });
  }
  if (front !== null) {
    context.store.append({
      kind: 'front',
      ...common,
      criterion: cell.options.method === 'moa' ? cell.options.criterion : 'joint',
      solver: front.front.solver,
      wallMs: front.front.seconds * 1000,
      points: front.front.points.map((point, i) => ({
        planHash: planHash(front.plans[i] as Plan),
        losses: point.objectives,
        densities: point.densities,
        gap: point.gap,
        validationLoss: front.validationLosses[i] ?? null,
        chosen: i === front.chosen,
      })),
    });
  }
  context.store.append({
    kind: 'plan',
    ...common,
    planHash: planHash(plan),
    path: relative(context.folder, made.path),
    reused: false,
    wallMs: made.wallMs,
    plan,
  });
}
