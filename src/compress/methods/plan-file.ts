import { resolve } from 'node:path';
import { MoaError } from '../../core/errors.ts';
import { sha256 } from '../../core/hash.ts';
import { readInput } from '../../core/read-input.ts';
import type { LanguageModel } from '../../model/inference/language-model.ts';
import { loadPlan } from '../../plan/file.ts';
import type { Plan } from '../../plan/schema.ts';
import type { MethodOfSuite } from '../../suite/schema.ts';
import type { Method } from './method.ts';

/** A plan of 200 layers and 128 heads takes 1 MB. */
const MAX_BYTES = 64 * 2 ** 20;

/** A plan made before, or imported with `moabench plan convert`. */
export const planFileMethod: Method<MethodOfSuite<'plan'>> = {
  name: 'plan',
  key: ({ path }, _suite, suiteFolder) => ({
    sha256: sha256(readInput(resolve(suiteFolder, path), { what: 'a plan', maxBytes: MAX_BYTES })),
  }),
  compress: async ({ path }, { model, suiteFolder }) => {
    const file = resolve(suiteFolder, path);
    const plan = loadPlan(file);
    checkShape(plan, model, file);
    return { plan, profiles: [], front: null };
  },
};

function checkShape(plan: Plan, model: LanguageModel, file: string): void {
  for (const field of ['layers', 'kvHeads', 'headDim'] as const) {
    if (plan.model[field] === model.config[field]) continue;
    throw new MoaError(`Expected ${model.config[field]} for model.${field} in ${file} but received ${plan.model[field]}`, {
      code: 'INVALID_FILE',
      hint: `The plan was made for ${plan.model.name}, the suite runs ${model.name}.`,
    });
  }
}
