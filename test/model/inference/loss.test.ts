import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { generate } from '../../../src/model/inference/generate.ts';
import { answerLoss } from '../../../src/model/inference/loss.ts';
import { loadModel } from '../../../src/model/load.ts';
import { GOLDENS, goldenModel, readGolden } from '../golden-model.ts';
import { spanned, whole } from '../layouts.ts';
import { cpuBackend } from '../test-backends.ts';

const backend = cpuBackend();
const mean = (values: Float32Array) => values.reduce((a, b) => a + b, 0) / values.length;

describe('answerLoss', () => {
  test.each(['llama3', 'qwen3', 'llama-dynamic', 'influence'])("of %s equals Hugging Face's, in every cache", async (name) => {
    const { tokens, answerStart, answerLoss: expected } = readGolden(name);
    const model = await loadModel({ path: goldenModel(name), backend });
    for (const kind of ['full', 'dynamic'] as const) {
      const layout = whole(model, tokens.length, { kind });
      const { losses } = await answerLoss(model, { tokens, answerStart, layout, chunkTokens: 47 });
      expect(losses).toHaveLength(tokens.length - answerStart);
      expect(mean(losses)).toBeCloseTo(expected, 5);
    }
    const layout = spanned(model, [256, 256, 256, 256], { tokens: tokens.length });
    expect(mean((await answerLoss(model, { tokens, answerStart, layout })).losses)).toBeCloseTo(expected, 5);
    model.dispose();
  });

  test('changes when spans drop tokens', async () => {
    const { tokens, answerStart, answerLoss: dense } = readGolden('influence');
    const model = await loadModel({ path: goldenModel('influence'), backend });
    const { losses } = await answerLoss(model, {
      tokens,
      answerStart,
      layout: spanned(model, [128, 128, 128, 128], { tokens: tokens.length }),
    });
    expect(Math.abs(mean(losses) - dense)).toBeGreaterThan(1e-3);
    model.dispose();
  });

  test('of weights that are not finite is an error that says so, and no number', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'moabench-nan-'));
    writeFileSync(join(folder, 'config.json'), readFileSync(`${GOLDENS}llama3/config.json`));
    const file = readFileSync(`${GOLDENS}llama3/model.safetensors`);
    for (let at = file.length - 64; at < file.length; at += 4) file.writeUInt32LE(0x7fc07fc0, at); // NaN in f32 and bf16
    writeFileSync(join(folder, 'model.safetensors'), file);
    const model = await loadModel({ path: folder, backend });
    const { tokens, answerStart } = readGolden('llama3');
    const refused = { code: 'INVALID_FILE', message: expect.stringMatching(/finite logits .* weights/) };
    const layout = whole(model, tokens.length + 2);
    await expect(answerLoss(model, { tokens, answerStart, layout })).rejects.toMatchObject(refused);
    const requests = [{ tokens, layout, maxNewTokens: 2 }];
    await expect(generate(model, { requests })).rejects.toMatchObject(refused);
    model.dispose();
  });

  test('takes answers from the second token on', async () => {
    const model = await loadModel({ path: 'dummy:tiny', backend });
    const tokens = Int32Array.from({ length: 300 }, (_, i) => i % 250);
    const layout = whole(model, 300);
    expect((await answerLoss(model, { tokens, answerStart: 1, layout })).losses).toHaveLength(299);
    for (const answerStart of [0, 300, 1.5]) {
      await expect(answerLoss(model, { tokens, answerStart, layout })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
    model.dispose();
  });
});
