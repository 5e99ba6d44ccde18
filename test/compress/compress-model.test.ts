import { afterAll, beforeAll, expect, test } from 'vitest';
import { compressModel } from '../../src/compress/compress-model.ts';
import type { LanguageModel } from '../../src/model/inference/language-model.ts';
import { loadModel } from '../../src/model/load.ts';
import { createBackend } from '../../src/native/backends.ts';

let model: LanguageModel;
beforeAll(async () => {
  model = await loadModel({ path: 'bundled:reference', backend: await createBackend({ name: 'cpu' }) });
});
afterAll(async () => {
  model.dispose();
  await model.backend.dispose();
});

/** As little calibration as there can be. */
const compress = {
  calibration: { tasks: ['lines'], samplesPerLength: 1, answerTokens: 4 },
  profileLengths: [256],
  constrainLengths: [512],
  validate: { length: 384, samples: 1 },
};

test('methods that look at no data have their plans at once, in order', async () => {
  const made = await compressModel(model, {
    methods: [
      { id: 'dense', method: 'dense' },
      { id: 'half', method: 'streaming', density: 0.5 },
    ],
  });
  expect(made.map(({ plan, front }) => [plan.name, plan.method, plan.model.weightsHash, front])).toEqual([
    ['dense', 'dense', model.weightsHash, null],
    ['half', 'streaming', model.weightsHash, null],
  ]);
});

test.each([
  [
    'a method that profiles, without compress',
    { methods: [{ id: 'moa', method: 'moa', density: 0.5 }] },
    /Expected a compress section because/,
  ],
  [
    'compress that no method reads',
    { methods: [{ id: 'dense', method: 'dense' }], compress },
    /Expected a moa method because no other method reads/,
  ],
  ['a density above 1', { methods: [{ id: 'a', method: 'streaming', density: 2 }] }, /Expected a number in \(0, 1\]/],
] as const)('%s is refused', async (_, options, message) => {
  await expect(compressModel(model, options as unknown as Parameters<typeof compressModel>[1])).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringMatching(message),
  });
});
