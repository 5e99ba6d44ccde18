import { expect, test } from 'vitest';
import { denseMethod } from '../../../src/compress/methods/dense.ts';
import { spansAt } from '../../../src/plan/spans.ts';
import { cpuBackend } from '../../model/test-backends.ts';
import { methodContext, optionsOf, suiteWith } from './method-context.ts';

const cpu = cpuBackend();

test('dense keeps every token of every head at any length, and looks at no data', async () => {
  const suite = suiteWith([{ id: 'full', method: 'dense' }]);
  const context = await methodContext(cpu, suite);
  const { plan, ...others } = await denseMethod.compress(optionsOf(suite, 'dense'), context);
  const { layers, kvHeads, heads, headDim } = context.model.config;
  expect(plan).toMatchObject({
    name: 'full',
    method: 'dense',
    heterogeneity: null,
    model: { layers, kvHeads, heads, headDim, weightsHash: context.model.weightsHash },
    densities: { 512: 1, 1024: 1 },
  });
  for (const length of [64, 512, 100_000]) expect(new Set(spansAt(plan, length))).toEqual(new Set([Math.ceil(length / 64) * 64]));
  expect(others).toEqual({ profiles: [], front: null });
  expect(denseMethod.key(optionsOf(suite, 'dense'), suite, '.')).toEqual({});
  context.model.dispose();
});
