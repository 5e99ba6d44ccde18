import { describe, expect, test } from 'vitest';
import { MoaError } from '../../../src/core/errors.ts';
import { loadModel } from '../../../src/model/load.ts';
import { ProfileBuffers } from '../../../src/model/profile/buffers.ts';
import { attentionGradients, influenceProfile } from '../../../src/model/profile/influence.ts';
import { withRecomputePolicy } from '../../../src/model/profile/recompute-policy.ts';
import { profileBytes, type RecomputePolicy } from '../../../src/model/profile/shapes.ts';
import type { MemoryUse } from '../../../src/native/backend.ts';
import { goldenModel, readGolden } from '../golden-model.ts';
import { cpuBackend, observed, overlay } from '../test-backends.ts';

const cpu = cpuBackend();
const POLICIES = ['none', 'mlp', 'all'] as const;

describe('policies', () => {
  // Head norms, biases, neither.
  test.each(['qwen3', 'qwen2', 'llama3'])('give equal gradients and influence of %s', async (name) => {
    const { tokens, answerStart } = readGolden(name);
    const model = await loadModel({ path: goldenModel(name), backend: cpu });
    const [all, ...others] = await Promise.all(
      (['all', 'mlp', 'none'] as const).map(async (recompute) => ({
        gradients: await attentionGradients(model, { tokens, answerStart, recompute }),
        influence: await influenceProfile(model, { tokens, answerStart, sink: 0, epsilon: 0.01, recompute }),
      })),
    );
    for (const other of others) expect(other).toEqual(all);
    model.dispose();
  });

  test('give equal influence when the MLP takes several blocks', async () => {
    const model = await loadModel({ path: 'dummy:tiny', backend: cpu });
    const tokens = Int32Array.from({ length: model.blockRows + 130 }, (_, i) => (i * 31) % 250);
    const options = { tokens, answerStart: tokens.length - 5, sink: 64, epsilon: 0.01 };
    const all = await influenceProfile(model, { ...options, recompute: 'all' });
    expect(await influenceProfile(model, { ...options, recompute: 'none' })).toEqual(all);
    model.dispose();
  });

  test('differ in the matrix products that they do again', async () => {
    let products = 0;
    const counting = observed(cpu, (name) => {
      if (name === 'gemm') products++;
    });
    const model = await loadModel({ path: 'dummy:tiny', backend: counting });
    const layers = model.config.layers;
    for (const [recompute, again] of [
      ['none', 0],
      ['mlp', layers],
      ['all', 3 * layers],
    ] as const) {
      products = 0;
      await attentionGradients(model, { tokens: new Int32Array(10), answerStart: 5, recompute });
      // Four products a layer each way (the first layer needs no gradient of its q, k and v), two for the logits.
      expect(products - again).toBe(4 * layers + 2 + 4 * layers - 1);
    }
    model.dispose();
  });

  test.each(POLICIES)('hold the bytes that are estimated (%s)', async (recompute) => {
    const model = await loadModel({ path: goldenModel('qwen3'), backend: cpu });
    const before = cpu.memory().workspaceBytes;
    const buffers = new ProfileBuffers(model, 100, recompute);
    expect(cpu.memory().workspaceBytes - before).toBe(profileBytes(model, 100, recompute));
    buffers.dispose();
    await cpu.synchronize();
    expect(cpu.memory().workspaceBytes).toBe(before);
    model.dispose();
  });
});

describe('withRecomputePolicy', () => {
  const outOfMemory = new MoaError('full', { code: 'OUT_OF_MEMORY' });

  test('begins with the least work that free memory and the unused pool hold, and in host memory with the thriftiest', async () => {
    let free = 2 ** 30; // room for the weights
    const memory = (): MemoryUse => ({
      ...cpu.memory(),
      device: { freeBytes: free - 1000, totalBytes: 2 ** 40, poolReservedBytes: 3000, poolUsedBytes: 2000 },
    });
    const model = await loadModel({ path: 'dummy:tiny', backend: overlay(cpu, { memory }) });
    const begun = (recompute?: RecomputePolicy) => withRecomputePolicy(model, { tokens: 500, recompute }, async (policy) => policy);
    for (const policy of POLICIES) {
      const needed = profileBytes(model, 500, policy) / 0.9;
      free = Math.ceil(needed) + 1;
      expect(await begun()).toBe(policy);
      free = Math.floor(needed) - 1;
      expect(await begun()).toBe(policy === 'none' ? 'mlp' : 'all');
      expect(await begun(policy)).toBe(policy);
    }
    model.dispose();
    const onHost = await loadModel({ path: 'dummy:tiny', backend: cpu });
    expect(await withRecomputePolicy(onHost, { tokens: 5 }, async (policy) => policy)).toBe('all');
    onHost.dispose();
  });

  test('goes on with thriftier ones when memory runs out, and only then', async () => {
    const model = await loadModel({ path: 'dummy:tiny', backend: cpu });
    const tried: string[] = [];
    const failing = (failure: Error, until: string) => async (policy: RecomputePolicy) => {
      tried.push(policy);
      if (policy !== until) throw failure;
      return policy;
    };
    expect(await withRecomputePolicy(model, { tokens: 5, recompute: 'none' }, failing(outOfMemory, 'all'))).toBe('all');
    await expect(withRecomputePolicy(model, { tokens: 5, recompute: 'mlp' }, failing(outOfMemory, ''))).rejects.toBe(outOfMemory);
    const other = new MoaError('wrong', { code: 'INTERNAL' });
    await expect(withRecomputePolicy(model, { tokens: 5, recompute: 'none' }, failing(other, ''))).rejects.toBe(other);
    expect(tried).toEqual(['none', 'mlp', 'all', 'mlp', 'all', 'none']);
    model.dispose();
  });

  test('gives a sample its influence within a memory limit, and then frees everything', async () => {
    const model = await loadModel({ path: 'dummy:tiny', backend: cpu });
    const tokens = Int32Array.from({ length: 600 }, (_, i) => (i * 7) % 250);
    const options = { tokens, answerStart: 590, sink: 64, epsilon: 0.01 };
    const expected = await influenceProfile(model, options);
    const before = cpu.memory().workspaceBytes;
    cpu.setMemoryLimit(model.weightBytes + before + profileBytes(model, 600, 'all') + 2 ** 17);
    try {
      expect(await influenceProfile(model, { ...options, recompute: 'none' })).toEqual(expected);
    } finally {
      cpu.setMemoryLimit(0);
    }
    await cpu.synchronize();
    expect(cpu.memory().workspaceBytes).toBe(before);
    model.dispose();
  });
});
