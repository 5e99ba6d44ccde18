import { MoaError } from '../core/errors.ts';
import type { ModelConfig } from '../model/format/config.ts';
import { planHash } from '../plan/file.ts';
import type { Plan } from '../plan/schema.ts';
import type { RecordOf } from '../records/record.ts';
import type { RecordLog } from '../records/record-log.ts';

/** The shape that a plan has rules for. */
export type ModelShape = Pick<ModelConfig, 'layers' | 'kvHeads' | 'headDim'>;

/** The plan that a cell ended with, or null. It comes from the record, which has all of it. The plan file is a copy for people and other tools. */
export function recordedPlan(log: RecordLog, cell: string, shape: ModelShape): Plan | null {
  if (!log.isDone(cell, null)) return null;
  const record = log.ofCell(cell).findLast((r): r is RecordOf<'plan'> => r.kind === 'plan');
  return record !== undefined && planProblem(record, shape) === null ? record.plan : null;
}

/** What is wrong with a recorded plan, as one error; null when the plan has the recorded hash and the model's shape. */
export function planProblem({ method, plan, planHash: recorded }: RecordOf<'plan'>, shape: ModelShape): MoaError | null {
  const hash = planHash(plan);
  if (hash !== recorded) return invalid(`Expected the plan of ${method} to have the recorded hash ${recorded} but received ${hash}`);
  for (const field of ['layers', 'kvHeads', 'headDim'] as const) {
    if (plan.model[field] !== shape[field])
      return invalid(`Expected ${shape[field]} for model.${field} in the plan of ${method} but received ${plan.model[field]}`);
  }
  return null;
}

function invalid(message: string): MoaError {
  return new MoaError(message, {
    code: 'INVALID_FILE',
    hint: 'The record was edited, or the plan was made for another model. Run the suite again with --resume: the plan is made again.',
  });
}
