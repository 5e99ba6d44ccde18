import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CompressContext } from '../../../src/compress/methods/method.ts';
import { streamingMethod } from '../../../src/compress/methods/streaming.ts';
import { spansAt } from '../../../src/plan/spans.ts';
import { cpuBackend } from '../../model/test-backends.ts';
import { methodContext, optionsOf, suiteWith } from './method-context.ts';

const cpu = cpuBackend();
let context: CompressContext;
beforeAll(async () => {
  context = await methodContext(cpu, suiteWith([{ id: 'dense', method: 'dense' }]));
});
afterAll(() => context.model.dispose());

async function planOf(options: object) {
  const suite = suiteWith([{ id: 's', method: 'streaming', ...options }]);
  return (await streamingMethod.compress(optionsOf(suite, 'streaming'), { ...context, suite })).plan;
}

describe('streaming', () => {
  test('by density keeps the same share of any length in every head, in whole blocks', async () => {
    const plan = await planOf({ density: 0.25 });
    expect(plan).toMatchObject({ method: 'streaming', heterogeneity: 'uniform', sink: 64, provenance: { budget: 0.25 } });
    expect(plan.densities).toEqual({ 512: 0.25, 1024: 0.25 });
    expect(new Set(spansAt(plan, 1024))).toEqual(new Set([256]));
    expect(new Set(spansAt(plan, 2048))).toEqual(new Set([512]));
  });

  test('by tokens keeps sink and window whatever the length', async () => {
    const plan = await planOf({ sinkTokens: 128, windowTokens: 256 });
    expect(plan).toMatchObject({
      sink: 128,
      rules: {
        alpha: [
          [384, 384],
          [384, 384],
        ],
        beta: [
          [0, 0],
          [0, 0],
        ],
      },
    });
    expect(plan.provenance.budget).toBeUndefined();
    for (const length of [512, 8192]) expect(new Set(spansAt(plan, length))).toEqual(new Set([384]));
  });

  test('has another key for another density, sink or window, and none for its name', () => {
    const key = (options: object): string => {
      const suite = suiteWith([{ id: 's', method: 'streaming', ...options }]);
      return JSON.stringify(streamingMethod.key(optionsOf(suite, 'streaming'), suite, '.'));
    };
    const variants = [
      { density: 0.5 },
      { density: 0.25 },
      { windowTokens: 128 },
      { windowTokens: 256 },
      { windowTokens: 256, sinkTokens: 128 },
    ];
    expect(new Set(variants.map(key)).size).toBe(variants.length);
    expect(key({ density: 0.5, id: 'other', label: 'Other' })).toBe(key({ density: 0.5 }));
  });
});
