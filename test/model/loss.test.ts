import { describe, expect, test } from 'vitest';
import { loadModel } from '../../src/model/load.ts';
import { answerLoss } from '../../src/model/loss.ts';
import { GOLDENS, readGolden } from './golden-model.ts';
import { cpuBackend } from './test-backends.ts';

const backend = cpuBackend();
const mean = (values: Float32Array) => values.reduce((a, b) => a + b, 0) / values.length;

describe('answerLoss', () => {
  test.each(['llama3', 'qwen3', 'llama-dynamic', 'influence'])("of %s equals Hugging Face's, in every cache", async (name) => {
    const { tokens, answerStart, answerLoss: expected } = readGolden(name);
    const model = await loadModel({ path: `${GOLDENS}${name}`, backend });
    for (const cacheKind of ['dense', 'dynamic'] as const) {
      const { losses } = await answerLoss(model, { tokens, answerStart, cacheKind, chunkTokens: 47 });
      expect(losses).toHaveLength(tokens.length - answerStart);
      expect(mean(losses)).toBeCloseTo(expected, 5);
    }
    const spans = new Int32Array(4).fill(256);
    expect(mean((await answerLoss(model, { tokens, answerStart, cacheKind: 'static', spans })).losses)).toBeCloseTo(expected, 5);
    model.dispose();
  });

  test('changes when spans drop tokens', async () => {
    const { tokens, answerStart, answerLoss: dense } = readGolden('influence');
    const model = await loadModel({ path: `${GOLDENS}influence`, backend });
    const { losses } = await answerLoss(model, { tokens, answerStart, cacheKind: 'static', spans: new Int32Array(4).fill(128) });
    expect(Math.abs(mean(losses) - dense)).toBeGreaterThan(1e-3);
    model.dispose();
  });

  test('takes answers from the second token on', async () => {
    const model = await loadModel({ path: 'dummy:tiny', backend });
    const tokens = Int32Array.from({ length: 300 }, (_, i) => i % 250);
    expect((await answerLoss(model, { tokens, answerStart: 1, cacheKind: 'dense' })).losses).toHaveLength(299);
    for (const answerStart of [0, 300, 1.5]) {
      await expect(answerLoss(model, { tokens, answerStart, cacheKind: 'dense' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
    model.dispose();
  });
});
