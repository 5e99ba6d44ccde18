import { join, relative } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { CompressResult } from '../compress/methods/method.ts';
import { compress } from '../compress/methods/registry.ts';
import { MoaError } from '../core/errors.ts';
import { writeFileAtomic } from '../core/files.ts';
import { contentHash } from '../core/hash.ts';
import { settle } from '../model/inference/settle.ts';
import { loadPlan, planHash, savePlan } from '../plan/file.ts';
import type { Plan } from '../plan/schema.ts';
import { WITHOUT_PLAN } from '../records/record.ts';
import { expandCells, type PlanCell } from '../suite/cells.ts';
import { addressOf, addressOrNone } from './addresses.ts';
import { artefactParts } from './cell-parts.ts';
import { now, type RunContext } from './context.ts';
import { type OpenCell, recordCompleted, recordFailed } from './outcome.ts';
import { recordedPlan } from './plan-record.ts';

/** Fills `context.plans` with the recorded plans of all methods of the suite. A plan file that is missing or differs from the record is written again. */
export function findPlans(context: RunContext): void {
  const { suite, store, model, onNote } = context;
  for (const cell of expandCells(suite)) {
    if (cell.kind !== 'plan') continue;
    const { cell: hash } = addressOrNone(cell, context);
    const plan = recordedPlan(store, hash, model.config);
    if (plan === null && store.isDone(hash, null))
      onNote(`The recorded plan of ${cell.method} was changed since it was made; it is made again.`);
    if (plan === null) continue;
    context.plans.set(cell.method, plan);
    restoreFile(context, cell.method, plan);
  }
}

function restoreFile({ folder, onNote }: RunContext, method: string, plan: Plan): void {
  const path = planPath(folder, method);
  const found = filedHash(path);
  if (found === planHash(plan)) return;
  if (found !== null)
    onNote(`${path} is not the plan that was made for ${method}; the recorded plan is used, and its file is written again.`);
  savePlan(path, plan);
}

/** Hash of the plan in a file; null when there is no file, and a text that is no hash when the file holds no plan. */
function filedHash(path: string): string | null {
  try {
    return planHash(loadPlan(path));
  } catch (error) {
    return error instanceof MoaError && error.code === 'NOT_FOUND' ? null : 'no plan';
  }
}

/** Makes the plans that are not there yet; a method without a plan has a failed record and no entry in `context.plans`. */
export async function makePlans(context: RunContext, cells: readonly PlanCell[]): Promise<void> {
  for (const cell of cells.filter(({ method }) => !context.plans.has(method))) {
    const path = planPath(context.folder, cell.method);
    let open: OpenCell<PlanCell> = { cell, hash: WITHOUT_PLAN };
    try {
      open = { cell, hash: addressOf(cell, context).cell };
      await makePlan(context, open, path);
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
    identity: contentHash(artefactParts(context.suite, context.identity)),
    signal: context.signal,
    onProgress: (progress) =>
      context.onProgress({ ...progress, detail: `${open.cell.method} ${progress.detail ?? ''}`, of: { ids: [open.cell.id], share: null } }),
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
  const common = { time: now(), cell: hash, method: cell.method, stretch: context.stretch.open() };
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
      semantics: plan.provenance.semantics,
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
