import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type VersusReport, versusText, versusTransformers } from '../../src/measure/versus-transformers.ts';
import type { LanguageModel } from '../../src/model/inference/language-model.ts';
import { loadModel } from '../../src/model/load.ts';
import { TransformersPeer } from '../../src/peers/transformers-peer.ts';
import { cpuBackend } from '../model/test-backends.ts';
import { scripted } from '../peers/scripted-worker.ts';
import { tinyModelFolder } from '../run/tiny-context.ts';

const backend = cpuBackend();
const path = `dummy:${tinyModelFolder()}`;
let model: LanguageModel;
beforeAll(async () => {
  model = await loadModel({ path, backend, text: 'required' });
});
afterAll(() => model.dispose());

/** A peer that takes 10 s for a prompt and 20 s for its continuation, and answers with the same token again and again. */
function peer(): Promise<TransformersPeer> {
  const command = scripted(`
    const tokens = new Array((request.newTokens ?? 0) + 1).fill(request.tokens?.length);
    say({ id: request.id, reply: request.ask === 'load' ? { threads: request.threads } : { prefillMs: 1e4, decodeMs: 2e4, tokens } });`);
  const log = join(mkdtempSync(join(tmpdir(), 'peer-')), 'transformers.log');
  return TransformersPeer.launch({ command, model: 'models/reference', threads: 1, log, signal: new AbortController().signal });
}

let report: VersusReport;
beforeAll(async () => {
  const other = await peer();
  const options = { tokens: 256, newTokens: 1, rounds: 3, signal: new AbortController().signal, onProgress: () => {} };
  report = await versusTransformers(model, other, options);
  await other.close();
});

test('both get the prompt of the length that was asked for, and every round is kept', () => {
  expect(Object.fromEntries(Object.entries(report.samples).map(([name, ms]) => [name, ms.length]))).toEqual({
    'prefill ours f32': 3,
    'decode ours f32': 3,
    'prefill ours bf16': 3,
    'decode ours bf16': 3,
    'prefill pytorch': 3,
    'decode pytorch': 3,
  });
  expect(report.samples['prefill pytorch']).toEqual([1e4, 1e4, 1e4]);
});

test('the first round warms up: ratios are over those after it, of the time of the peer over ours', () => {
  expect(report.ratios.map(({ name, rounds }) => [name, rounds])).toEqual([
    ['prefill: time of PyTorch / ours, f32 cache', 2],
    ['prefill: time of PyTorch / ours, bf16 cache', 2],
    ['decode: time of PyTorch / ours, f32 cache', 2],
    ['decode: time of PyTorch / ours, bf16 cache', 2],
  ]);
  for (const { estimate } of report.ratios) expect(estimate).toBeGreaterThan(1);
});

test('tokens that differ are told', () => {
  expect(report.sameTokens).toBe(false); // token 256 twice is no answer
  expect(versusText(report)).toContain("greedy tokens are not the peer's");
});
