import { describe, expect, test } from 'vitest';
import { createCache } from '../../../src/model/inference/caches.ts';
import { prefillHidden } from '../../../src/model/inference/forward.ts';
import { generate } from '../../../src/model/inference/generate.ts';
import type { LanguageModel } from '../../../src/model/inference/language-model.ts';
import { loadModel } from '../../../src/model/load.ts';
import { attentionGradients, influenceProfile } from '../../../src/model/profile/influence.ts';
import type { CrossEntropyParams, FloatDType } from '../../../src/native/backend.ts';
import { withDTypeRules } from '../dtype-rules.ts';
import { everySecondRow, GOLDENS, goldenModel, readArray, readGolden, relativeError } from '../golden-model.ts';
import { whole } from '../layouts.ts';
import { cpuBackend, observed, overlay, tfjsBackend } from '../test-backends.ts';

const cpu = cpuBackend();
const tfjs = tfjsBackend();

interface Half {
  readonly dtype: FloatDType;
  readonly name: string;
  readonly onOp?: (op: string, params: unknown) => void;
}

async function withModel({ dtype, name, onOp = () => {} }: Half, use: (model: LanguageModel) => Promise<void>): Promise<void> {
  const backend = observed(withDTypeRules(tfjs()), onOp);
  const model = await loadModel({ path: goldenModel(name), backend, weightDType: dtype });
  expect(model.activationDType).toBe(dtype);
  try {
    await use(model);
  } finally {
    model.dispose();
  }
}

describe('activations of 16 bits', () => {
  // Rounding: 2^-8 in bf16, 2^-11 in f16, over two layers.
  test.each([
    ['bf16', 'qwen3', 0.03],
    ['f16', 'qwen2', 0.004],
  ] as const)('in %s give the hidden states of %s, and mix dtypes only where cuda can', async (dtype, name, tolerance) => {
    const { tokens } = readGolden(name);
    const hidden: Float32Array[] = [];
    const exact = await loadModel({ path: goldenModel(name), backend: cpu });
    const last = async (model: LanguageModel): Promise<void> => {
      const cache = createCache(model, [whole(model, tokens.length)]);
      const rows = await prefillHidden(model, { cache, sequence: 0, tokens, chunkTokens: 33 });
      expect(rows.dtype).toBe(model.activationDType);
      expect(cache.kv.spec.dtype).toBe(model.activationDType);
      hidden.push((await rows.read()) as Float32Array);
      rows.dispose();
      cache.dispose();
    };
    await last(exact);
    await withModel({ dtype, name }, last);
    expect(relativeError(hidden[1] ?? [], hidden[0] ?? [])).toBeLessThan(tolerance);
    exact.dispose();
  });

  test('decode', async () => {
    const { tokens, continuation } = readGolden('llama3');
    await withModel({ dtype: 'f16', name: 'llama3' }, async (model) => {
      const { outputs } = await generate(model, {
        requests: [{ tokens, layout: whole(model, tokens.length + 3), maxNewTokens: 3 }],
        stopTokens: [],
      });
      expect([...(outputs[0]?.tokens ?? [])]).toEqual(continuation.slice(0, 3));
    });
  });

  test.each([
    ['bf16', 'qwen3', 0.03],
    ['f16', 'llama3', 0.02],
  ] as const)('in %s give the gradients of %s, whose scale is taken out again', async (dtype, name, tolerance) => {
    const golden = readGolden(name);
    const answerTokens = golden.tokens.length - golden.answerStart;
    const lossScales: number[] = [];
    const onOp = (op: string, params: unknown): void => {
      if (op === 'crossEntropy') lossScales.push(((params as CrossEntropyParams).gradScale ?? 1) * answerTokens);
    };
    await withModel({ dtype, name, onOp }, async (model) => {
      const { loss, gradients } = await attentionGradients(model, golden);
      expect(Math.abs(loss - golden.answerLoss)).toBeLessThan(tolerance);
      const expected = await readArray(`${GOLDENS}${name}/golden.safetensors`, 'attention_gradients');
      const kept = gradients.flatMap((g) => [...everySecondRow(g, golden.tokens.length - 1)]);
      expect(relativeError(kept, expected)).toBeLessThan(tolerance);
      expect(lossScales).toEqual([dtype === 'f16' ? 2 ** (10 + Math.floor(Math.log2(answerTokens))) : 1]);
    });
  });

  test('give the same influence under every policy, near the exact one', async () => {
    const { answerStart, tokens } = readGolden('llama3');
    const options = { tokens, answerStart, sink: 0, epsilon: 0.01 };
    const exact = await loadModel({ path: goldenModel('llama3'), backend: cpu });
    const { joint } = await influenceProfile(exact, options);
    await withModel({ dtype: 'f16', name: 'llama3' }, async (model) => {
      const all = await influenceProfile(model, { ...options, recompute: 'all' });
      expect(relativeError(all.joint, joint)).toBeLessThan(0.01);
      for (const recompute of ['none', 'mlp'] as const) expect(await influenceProfile(model, { ...options, recompute })).toEqual(all);
    });
    exact.dispose();
  });
});

describe('activationDType', () => {
  test('is f32 on cpu, and nothing else', async () => {
    const model = await loadModel({ path: 'dummy:tiny', backend: cpu });
    expect(model.activationDType).toBe('f32');
    model.dispose();
    const before = cpu.memory().weightsBytes;
    await expect(loadModel({ path: 'dummy:tiny', backend: cpu, activationDType: 'bf16' })).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: 'Expected f32 for activationDType on cpu but received bf16',
    });
    expect(cpu.memory().weightsBytes).toBe(before);
  });

  test('follows the weights where activations may have 16 bits, or is f32', async () => {
    const backend = overlay(cpu, { traits: { ...cpu.traits, halfActivations: true } });
    for (const [options, expected] of [
      [{}, 'bf16'],
      [{ weightDType: 'f16' }, 'f16'],
      [{ weightDType: 'f32' }, 'f32'],
      [{ weightDType: 'f16', activationDType: 'f32' }, 'f32'],
      [{ weightDType: 'f16', activationDType: 'f16' }, 'f16'],
    ] as const) {
      const model = await loadModel({ path: 'dummy:tiny', backend, ...options });
      expect(model).toMatchObject({ activationDType: expected, blockRows: 8192 });
      model.dispose();
    }
    await expect(loadModel({ path: 'dummy:tiny', backend, weightDType: 'f32', activationDType: 'bf16' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: 'Expected f32 or the dtype of the weights, f32, for activationDType but received "bf16"',
    });
  });
});
