import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { denseMethod } from '../../../src/compress/methods/dense.ts';
import type { CompressContext } from '../../../src/compress/methods/method.ts';
import { planFileMethod } from '../../../src/compress/methods/plan-file.ts';
import { savePlan } from '../../../src/plan/file.ts';
import type { Plan } from '../../../src/plan/schema.ts';
import { cpuBackend } from '../../model/test-backends.ts';
import { methodContext, optionsOf, suiteWith } from './method-context.ts';

const cpu = cpuBackend();
const suite = suiteWith([
  { id: 'dense', method: 'dense' },
  { id: 'made', method: 'plan', path: 'plans/a.json' },
]);
const options = optionsOf(suite, 'plan');
let context: CompressContext;
let plan: Plan;
const save = (change: (plan: Plan) => Plan = (same) => same): void => savePlan(join(context.suiteFolder, 'plans/a.json'), change(plan));
beforeAll(async () => {
  context = await methodContext(cpu, suite);
  mkdirSync(join(context.suiteFolder, 'plans'));
  plan = (await denseMethod.compress(optionsOf(suite, 'dense'), context)).plan;
});
afterAll(() => context.model.dispose());

describe('a plan file', () => {
  test('is found from the folder of the suite, and taken as it is', async () => {
    save();
    expect(await planFileMethod.compress(options, context)).toEqual({ plan, profiles: [], front: null });
  });

  test.each(['layers', 'kvHeads', 'headDim'] as const)('for a model of other %s is refused, with both models named', async (field) => {
    const { alpha, beta } = plan.rules;
    save((own) => ({
      ...own,
      model: { ...own.model, name: 'another', heads: field === 'kvHeads' ? 8 : own.model.heads, [field]: own.model[field] * 2 },
      rules: {
        alpha: field === 'layers' ? [...alpha, ...alpha] : field === 'kvHeads' ? alpha.map((row) => [...row, ...row]) : alpha,
        beta: field === 'layers' ? [...beta, ...beta] : field === 'kvHeads' ? beta.map((row) => [...row, ...row]) : beta,
      },
    }));
    await expect(planFileMethod.compress(options, context)).rejects.toMatchObject({
      code: 'INVALID_FILE',
      message: `Expected ${context.model.config[field]} for model.${field} in ${join(context.suiteFolder, 'plans/a.json')} but received ${plan.model[field] * 2}`,
      hint: `The plan was made for another, the suite runs ${context.model.name}.`,
    });
  });

  test('has a key of its bytes, and none without a file', () => {
    const path = join(context.suiteFolder, 'plans/a.json');
    const key = (): unknown => planFileMethod.key(options, suite, context.suiteFolder);
    save();
    const before = key();
    expect(key()).toEqual(before);
    writeFileSync(path, ' ', { flag: 'a' });
    expect(key()).not.toEqual(before);
    expect(() => planFileMethod.key({ ...options, path: 'none.json' }, suite, context.suiteFolder)).toThrow(
      expect.objectContaining({ code: 'NOT_FOUND' }),
    );
  });
});
