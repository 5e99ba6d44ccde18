import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CompressContext, CompressResult } from '../../../src/compress/methods/method.ts';
import { moaMethod } from '../../../src/compress/methods/moa.ts';
import { loadProse } from '../../../src/data/prose.ts';
import { densitiesAt } from '../../../src/plan/spans.ts';
import { cpuBackend } from '../../model/test-backends.ts';
import { tinyModelFolder } from '../../run/tiny-context.ts';
import { methodContext, optionsOf, suiteWith } from './method-context.ts';

const cpu = cpuBackend();
const folder = tinyModelFolder();
const COMPRESS = {
  calibration: { tasks: ['lines'], samplesPerLength: 1, answerTokens: 4 },
  profileLengths: [320, 384],
  constrainLengths: [320, 384],
  intervals: 1,
  validate: { length: 448, samples: 1 },
};
const suite = suiteWith([{ id: 'half', method: 'moa', density: 0.5 }], { compress: COMPRESS });
let context: CompressContext;
let made: CompressResult;
let again: CompressResult;
beforeAll(async () => {
  loadProse('calibration');
  context = await methodContext(cpu, suite, `dummy:${folder}`);
});
beforeAll(async () => {
  made = await moaMethod.compress(optionsOf(suite, 'moa'), context);
});
beforeAll(async () => {
  again = await moaMethod.compress(optionsOf(suite, 'moa'), context);
});
afterAll(() => context.model.dispose());

describe('moa', () => {
  test('chooses from its front the plan with the least validation loss, and says what it rests on', () => {
    const { front, plan, profiles } = made;
    const losses = front?.validationLosses ?? [];
    expect(losses.length).toBeGreaterThan(0);
    expect(losses.indexOf(Math.min(...losses))).toBe(front?.chosen);
    expect(front?.plans[front.chosen]).toEqual(plan);
    expect(plan).toMatchObject({ name: 'half', method: 'moa', heterogeneity: 'elastic' });
    expect(plan.provenance).toMatchObject({
      budget: 0.5,
      constraintLengths: [320, 384],
      seed: suite.seed,
      validation: { length: 448, samples: 1, loss: Math.min(...losses) },
    });
    expect(profiles.map(({ profile }) => profile.length)).toEqual([320, 384]);
  });

  test('keeps within its budget at every length that it is held to', () => {
    for (const density of Object.values(densitiesAt(made.plan, [320, 384]))) expect(density).toBeLessThanOrEqual(0.5);
  });

  test('made again, finds its profiles and gives the same plan', () => {
    expect(made.profiles.map(({ reused }) => reused)).toEqual([false, false]);
    expect(again.profiles.map(({ reused }) => reused)).toEqual([true, true]);
    expect(again.plan.rules).toEqual(made.plan.rules);
  });

  test('has another key for other options, another calibration and another reserve; none for a name or what is measured', () => {
    const key = (options: object = {}, parts: object = {}): string => {
      const other = suiteWith([{ id: 'half', method: 'moa', density: 0.5, ...options }], { compress: COMPRESS, ...parts });
      return JSON.stringify(moaMethod.key(optionsOf(other, 'moa'), other, '.'));
    };
    const keys = [
      key(),
      key({ density: 0.25 }),
      key({ heterogeneity: 'layers' }),
      key({}, { compress: { ...COMPRESS, intervals: 2 } }),
      key({}, { generation: { reserveTokens: 1024 } }),
    ];
    expect(new Set(keys).size).toBe(keys.length);
    expect(key({ id: 'other', label: 'Other' }, { efficiency: { prefill: { lengths: [2048] } } })).toBe(key());
  });
});
