import { afterAll, beforeAll, expect, test } from 'vitest';
import { divergence, greedyAnswer } from '../../../src/evaluate/agreement/answers.ts';
import { Agreement, type AgreementOptions } from '../../../src/evaluate/agreement/compare-models.ts';
import type { LanguageModel } from '../../../src/model/inference/language-model.ts';
import { loadModel } from '../../../src/model/load.ts';
import type { Backend } from '../../../src/native/backend.ts';
import { cpuBackend, overlay } from '../../model/test-backends.ts';
import { tinyModelFolder } from '../../run/tiny-context.ts';

const backend = cpuBackend();
/** Ids of a text that means nothing. */
const some = (count: number, seed: number): Int32Array => Int32Array.from({ length: count }, (_, i) => 10 + ((i * 7919 + seed) % 2000));
const options: AgreementOptions = {
  items: [{ task: 'lines', length: 128, isProfiled: true, prompt: some(120, 1), completion: some(8, 5), maxNewTokens: 8 }],
  signal: new AbortController().signal,
  onProgress: () => {},
};
const path = `dummy:${tinyModelFolder()}`;
const load = (on: Backend): Promise<LanguageModel> => loadModel({ path, backend: on, weightDType: 'f32', text: 'required' });

let reference: LanguageModel;
let agreement: Agreement;
beforeAll(async () => {
  reference = await load(backend);
  agreement = await Agreement.of(reference, options);
});
afterAll(() => reference.dispose());

test('a backend agrees with itself, bit for bit', async () => {
  expect(await agreement.compare(reference)).toMatchObject({
    dtype: 'f32',
    samples: 1,
    equal: 1,
    ties: 0,
    different: [],
    influence: { lengths: [{ length: 128, samples: 1, loss: 0, elementwise: 0, elementwiseSink: 0, joint: 0 }] },
    faults: [],
  });
});

test('a backend whose attention sees next to nothing is told by its answers, losses and influence', async () => {
  const wrong = overlay(backend, {
    attentionPrefill: (params) => backend.attentionPrefill({ ...params, scale: params.scale / 100 }),
    attentionDecode: (params) => backend.attentionDecode({ ...params, scale: params.scale / 100 }),
  });
  const model = await load(wrong);
  const { faults, different } = await agreement.compare(model);
  model.dispose();
  expect(faults).toEqual(
    expect.arrayContaining([
      '1 of 1 answers differ where the logits are no tie',
      expect.stringMatching(/^loss at 128 tokens is .* off, more than 0.0001$/),
      expect.stringMatching(/^joint at 128 tokens is .* off/),
    ]),
  );
  expect(different).toMatchObject([{ task: 'lines', length: 128, index: 0, isTie: false }]);
});

test('an answer leaves another at the first token that differs, by how far the logits are apart', async () => {
  const prompt = Int32Array.from(reference.tokenizer.encode('The sea was'));
  const wanted = await greedyAnswer(reference, { prompt, maxNewTokens: 4, kvDType: 'f32' });
  const at = (received: Int32Array) => divergence(reference, { prompt, wanted, received, dtype: 'f32' });
  const last = wanted.length - 1;
  expect(await at(wanted)).toBeNull();
  const found = await at(wanted.map((token, i) => (i === last ? token + 1 : token)));
  expect(found).toMatchObject({ token: last, isTie: false });
  expect(found?.gap).toBeGreaterThan(1e-4);
  expect(await at(wanted.subarray(0, last))).toEqual({ token: last, gap: Number.POSITIVE_INFINITY, isTie: false });
});
