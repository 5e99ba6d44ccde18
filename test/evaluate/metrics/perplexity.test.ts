import { expect, test } from 'vitest';
import { answerPerplexity } from '../../../src/evaluate/metrics/perplexity.ts';

test('tokens weigh the same, whatever answer they belong to', () => {
  expect(answerPerplexity([Float32Array.of(1, 1, 1), Float32Array.of(5)])).toEqual({
    perplexity: Math.exp(2),
    meanNats: 2,
    tokens: 4,
    samples: 2,
  });
  expect(answerPerplexity([[Math.log(8)], []])).toMatchObject({ perplexity: expect.closeTo(8, 12), tokens: 1 });
});

test.each([[[]], [[[]]], [[[1, Number.NaN]]], [[[Number.POSITIVE_INFINITY]]]])('%j is a typed error', (losses) => {
  expect(() => answerPerplexity(losses)).toThrow(expect.objectContaining({ name: 'MoaError', code: 'INVALID_ARGUMENT' }));
});
