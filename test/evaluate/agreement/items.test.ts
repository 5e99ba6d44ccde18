import { beforeAll, expect, test } from 'vitest';
import { type AgreementItem, agreementItems } from '../../../src/evaluate/agreement/items.ts';
import { loadModel } from '../../../src/model/load.ts';
import { cpuBackend } from '../../model/test-backends.ts';
import { tinyModelFolder } from '../../run/tiny-context.ts';

const backend = cpuBackend();
const path = `dummy:${tinyModelFolder()}`;
let items: readonly AgreementItem[];
beforeAll(async () => {
  const model = await loadModel({ path, backend, text: 'required' });
  items = agreementItems(model, { tasks: ['lines'], lengths: [512, 2176], samples: 2, influenceSamples: 1 });
  model.dispose();
});

test('items are samples of every task and length that leave room for the answer; some of the shorter ones are profiled', () => {
  expect(items.map(({ task, length, isProfiled }) => [task, length, isProfiled])).toEqual([
    ['lines', 512, true],
    ['lines', 512, false],
    ['lines', 2176, false],
    ['lines', 2176, false],
  ]);
  for (const { length, prompt, completion, maxNewTokens } of items) {
    expect(prompt.length).toBeLessThanOrEqual(length - 64);
    expect(completion.length).toBeGreaterThan(0);
    expect(maxNewTokens).toBeLessThanOrEqual(48);
  }
});
