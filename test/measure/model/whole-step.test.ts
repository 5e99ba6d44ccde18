import { expect, test } from 'vitest';
import { MoaError } from '../../../src/core/errors.ts';
import { measureWholeStep } from '../../../src/measure/model/whole-step.ts';
import { loadModel } from '../../../src/model/load.ts';
import type { Backend } from '../../../src/native/backend.ts';
import { wholeLayout } from '../../../src/plan/cache-layout.ts';
import type { Plan } from '../../../src/plan/schema.ts';
import { cpuBackend, overlay } from '../../model/test-backends.ts';

const backend = cpuBackend();
/** Two layers of two KV heads: spans of 128 and 256 tokens. */
const plan: Plan = {
  format: 'moabench-plan',
  version: 1,
  name: 'uneven',
  method: 'imported',
  model: { name: 'tiny', weightsHash: null, layers: 2, heads: 4, kvHeads: 2, headDim: 16 },
  block: 64,
  sink: 64,
  heterogeneity: null,
  rules: {
    alpha: [
      [128, 256],
      [128, 256],
    ],
    beta: [
      [0, 0],
      [0, 0],
    ],
  },
  densities: {},
  provenance: { createdBy: 'test', source: 'test' },
};
const options = { tokens: 512, plan, batch: 2, memory: 0.8, steps: 2, rounds: 2, readCeiling: 1e9, seed: 's', onProgress: () => {} };
const load = (on: Backend) => loadModel({ path: 'dummy:tiny', backend: on });

test('contenders have the batch and the bytes that their spans say, each with a graph and without', async () => {
  const model = await load(backend);
  const found = await measureWholeStep(model, options);
  expect(found).toMatchObject({ density: 192 / 512, readCeiling: 1e9 });
  const { headDim, kvHeads, layers } = model.config;
  const slot = layers * kvHeads * headDim * 2 * 4; // f32 keys and values of one token
  expect(wholeLayout(model.config, { tokens: 512, dtype: 'f32' }).bytes).toBe(512 * slot);
  expect(found.rows.filter(({ graph }) => graph === 'on')).toEqual([
    {
      id: 'dense',
      graph: 'on',
      batch: 2,
      kvBytes: 511 * slot * 2,
      peakBytes: expect.any(Number),
      stepMs: [expect.any(Number), expect.any(Number)],
    },
    expect.objectContaining({ id: 'uniform, same batch', batch: 2, kvBytes: 192 * slot * 2 }),
    expect.objectContaining({ id: 'moa, same batch', batch: 2, kvBytes: 192 * slot * 2 }),
    expect.objectContaining({ id: 'moa, same memory', batch: 5, kvBytes: 192 * slot * 5 }), // 2 x 512 / 192, whole
    expect.objectContaining({ id: 'dense, batch 1', batch: 1 }),
    expect.objectContaining({ id: 'moa, batch 1', batch: 1 }),
  ]);
  expect(found.rows).toHaveLength(12);
  // tied: the head reads the embedding, so a step reads all weights
  expect(found.weightBytes).toBe(model.weightBytes);
  model.dispose();
});

test('memory that runs out costs the contender that it is too little for, with the reason', async () => {
  const full = overlay(backend, {
    kvCache: (spec) => {
      if (spec.sequences > 1) throw new MoaError('Expected room', { code: 'OUT_OF_MEMORY' });
      return backend.kvCache(spec);
    },
  });
  const limited = await loadModel({ path: 'dummy:tiny', backend: full });
  const found = await measureWholeStep(limited, { ...options, batch: 2 });
  expect(found.rows.map((row) => ('reason' in row ? row.reason : row.id))).toEqual([
    ...new Array(8).fill('Expected room'),
    'dense, batch 1',
    'dense, batch 1',
    'moa, batch 1',
    'moa, batch 1',
  ]);
  limited.dispose();
});

test('a plan for another model is refused', async () => {
  const model = await load(overlay(backend, {}));
  const other = {
    ...plan,
    model: { ...plan.model, layers: 3 },
    rules: { alpha: [...plan.rules.alpha, [128, 128]], beta: [...plan.rules.beta, [0, 0]] },
  };
  await expect(measureWholeStep(model, { ...options, plan: other })).rejects.toThrow('Expected a plan for');
  model.dispose();
});
