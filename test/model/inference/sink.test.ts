import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PRESETS } from '../../../src/model/format/presets.ts';
import { createCache } from '../../../src/model/inference/caches.ts';
import { prefill } from '../../../src/model/inference/forward.ts';
import type { LanguageModel } from '../../../src/model/inference/language-model.ts';
import { answerLoss } from '../../../src/model/inference/loss.ts';
import { loadModel } from '../../../src/model/load.ts';
import type { Backend } from '../../../src/native/backend.ts';
import { relativeError } from '../golden-model.ts';
import { spanned, whole } from '../layouts.ts';
import { cpuBackend, tfjsBackend } from '../test-backends.ts';

const cpu = cpuBackend();
const tfjs = tfjsBackend();
const folder = mkdtempSync(join(tmpdir(), 'moabench-sink-'));
const TOKENS = Int32Array.from({ length: 720 }, (_, i) => 3 + ((i * 37) % 250));
/** On cpu and on the reference. */
const models: LanguageModel[] = [];
const SPAN = 640;
/** Rounding of an unseen key's share of its tile; a seen key of 640 changes logits by some 1e-3. */
const UNSEEN = 1e-6;

/** A model of one layer: its output at a row depends on the tokens that the row's own attention sees, and on no others. */
function oneLayer(backend: Backend): Promise<LanguageModel> {
  return loadModel({ path: `dummy:${folder}`, backend, activationDType: 'f32' });
}

beforeAll(() => {
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...PRESETS.tiny, num_hidden_layers: 1 }));
});
beforeAll(async () => {
  for (const backend of [cpu, tfjs()]) {
    const model = await oneLayer(backend);
    models.push(model);
    await answerLoss(model, { tokens: TOKENS.subarray(0, 3), answerStart: 1, layout: whole(model, 3, { dtype: 'f32' }) }); // ops compile at first use
  }
});
afterAll(() => {
  for (const model of models) model.dispose();
  rmSync(folder, { recursive: true });
});

/** Logits of the last row in chunks of 100, so that most keys come out of the cache. */
async function lastLogits(model: LanguageModel, sink: number, tokens: Int32Array): Promise<readonly number[]> {
  const cache = createCache(model, [spanned(model, [SPAN, SPAN], { tokens: tokens.length, sink })]);
  const logits = await prefill(model, { cache, sequence: 0, tokens, chunkTokens: 100 });
  cache.dispose();
  return [...logits];
}

describe.each([0, 64, 512])('a sink of %i tokens', (sink) => {
  test('keeps its own tokens and the last of the window, and evicts the others', async () => {
    const model = await oneLayer(cpu);
    const expected = await lastLogits(model, sink, TOKENS);
    const last = TOKENS.length - 1;
    const window = SPAN - sink;
    const probes = [0, sink - 1, sink, sink + 3, last - window, last - window + 1, last].filter((j) => j >= 0);
    const seen: number[] = [];
    for (const j of probes) {
      const logits = await lastLogits(model, sink, TOKENS.with(j, 1));
      if (relativeError(logits, expected) > UNSEEN) seen.push(j);
    }
    expect(seen).toEqual(probes.filter((j) => j < sink || last - j < window));
    model.dispose();
  });
});

test.each([0, 64, 128])('with a sink of %i tokens losses are those of the reference, which keeps every token and masks', async (sink) => {
  const losses: Float32Array[] = [];
  const tokens = TOKENS.subarray(0, 200);
  for (const model of models) {
    const layout = spanned(model, [192, 192], { tokens: tokens.length, sink });
    losses.push((await answerLoss(model, { tokens, answerStart: 190, layout })).losses);
  }
  const [own = new Float32Array(), masked = new Float32Array()] = losses;
  expect(relativeError(own, masked)).toBeLessThan(1e-5);
});

test('sinks of 0, 64 and 512 tokens at one span give different losses', async () => {
  const model = await loadModel({ path: 'dummy:tiny', backend: cpu });
  const sums: string[] = [];
  for (const sink of [0, 64, 512]) {
    const layout = spanned(model, [SPAN, SPAN, SPAN, SPAN], { tokens: TOKENS.length, sink });
    const { losses } = await answerLoss(model, { tokens: TOKENS, answerStart: 700, layout });
    sums.push(losses.reduce((a, b) => a + b, 0).toFixed(3));
  }
  expect(new Set(sums).size).toBe(3);
  model.dispose();
});
