import { expect, test } from 'vitest';
import { withTodaysNames } from '../../src/suite/older-names.ts';

test('contexts and contextTokens of efficiency are lengths and length; nothing else changes', () => {
  const kept = { name: 's', quality: { retrieval: { lengths: [1024] } } };
  const older = {
    ...kept,
    efficiency: { processes: 3, decode: { contexts: [4096], batch: [1] }, maxBatch: { contextTokens: 4096, memoryLimitMiB: 8 } },
  };
  const todays = {
    ...kept,
    efficiency: { processes: 3, decode: { lengths: [4096], batch: [1] }, maxBatch: { length: 4096, memoryLimitMiB: 8 } },
  };
  expect(withTodaysNames(older)).toEqual(todays);
  expect(withTodaysNames(todays)).toEqual(todays);
});

test.each([[kept()], [{ ...kept(), efficiency: { processes: 3 } }], [null], ['text']])('%j stays as it is', (value) => {
  expect(withTodaysNames(value)).toEqual(value);
});

function kept() {
  return { name: 's', version: 1 };
}
