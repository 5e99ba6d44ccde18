import { describe, expect, test } from 'vitest';
import { loadModel } from '../../../src/model/load.ts';
import { attentionGradients, influenceProfile } from '../../../src/model/profile/influence.ts';
import { everySecondRow, GOLDENS, goldenModel, readArray, readGolden, relativeError } from '../golden-model.ts';
import { cpuBackend } from '../test-backends.ts';

const MODELS = ['llama2', 'llama3', 'mistral', 'qwen2', 'qwen3', 'llama-linear', 'llama-dynamic', 'llama-yarn'];
const cpu = cpuBackend();

async function gradientError(name: string): Promise<number> {
  const golden = readGolden(name);
  const model = await loadModel({ path: goldenModel(name), backend: cpu });
  const { loss, gradients } = await attentionGradients(model, golden);
  model.dispose();
  expect(loss).toBeCloseTo(golden.answerLoss, 5);
  const expected = await readArray(`${GOLDENS}${name}/golden.safetensors`, 'attention_gradients');
  const elements = expected.length / gradients.length;
  return Math.max(
    ...gradients.map((g, l) =>
      relativeError(everySecondRow(g, golden.tokens.length - 1), expected.subarray(l * elements, (l + 1) * elements)),
    ),
  );
}

describe("gradients at the attention outputs equal Hugging Face's", () => {
  // Two layers of float32 against float64: about 1e-5 at worst (YaRN's long rotations).
  test.each(MODELS)('%s on cpu', async (name) => {
    expect(await gradientError(name)).toBeLessThan(1e-4);
  });
});

describe('influenceProfile', () => {
  test('equals what docs/method.md defines, from eager matrices, for every epsilon', async () => {
    const golden = readGolden('influence');
    const file = `${GOLDENS}influence/golden.safetensors`;
    const model = await loadModel({ path: goldenModel('influence'), backend: cpu });
    for (const [e, epsilon] of golden.epsilons.entries()) {
      const { tokens, answerStart, sink } = golden;
      const profile = await influenceProfile(model, { tokens, answerStart, sink, epsilon });
      const of = async (name: string) =>
        (await readArray(file, name)).subarray(e * profile.elementwise.length, (e + 1) * profile.elementwise.length);
      expect(profile.bins).toBe(golden.bins);
      expect(profile.loss).toBeCloseTo(golden.answerLoss, 5);
      // With epsilon near 0, rows whose attention is almost one key divide rounding by 1 - A; hence not 1e-5.
      expect(relativeError(profile.elementwise, await of('elementwise'))).toBeLessThan(1e-4);
      expect(relativeError(profile.elementwiseSink, await of('elementwise_sink'))).toBeLessThan(1e-3);
      expect(relativeError(profile.joint, await readArray(file, 'joint'))).toBeLessThan(1e-4);
    }
    model.dispose();
  });

  test('frees its memory, also when stopped', async () => {
    const golden = readGolden('influence');
    const model = await loadModel({ path: goldenModel('influence'), backend: cpu });
    const before = cpu.memory().workspaceBytes;
    const options = { tokens: golden.tokens, answerStart: golden.answerStart, sink: 64, epsilon: 0.01 };
    await influenceProfile(model, options);
    await expect(influenceProfile(model, { ...options, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' });
    await cpu.synchronize();
    expect(cpu.memory().workspaceBytes).toBe(before);
    model.dispose();
  });

  test('refuses an argument out of range by its name', async () => {
    const model = await loadModel({ path: 'dummy:tiny', backend: cpu });
    const good = { tokens: Int32Array.of(1, 2, 3), answerStart: 1, sink: 64, epsilon: 0.01 };
    for (const [change, name] of [
      [{ answerStart: 3 }, 'answerStart'],
      [{ tokens: Int32Array.of(1, 999, 2) }, 'tokens'],
      [{ sink: -1 }, 'sink'],
      [{ epsilon: Number.NaN }, 'epsilon'],
    ] as const) {
      await expect(influenceProfile(model, { ...good, ...change })).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining(name),
      });
    }
    model.dispose();
  });
});
