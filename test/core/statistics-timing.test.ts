import { expect, test } from 'vitest';
import { Rng } from '../../src/core/rng.ts';
import { logRatioInterval } from '../../src/core/statistics-timing.ts';

const rng = new Rng('timings');
const dense = Array.from({ length: 30 }, () => 10 * Math.exp(0.02 * rng.normal()));
const sparse = dense.map((value) => (value / 2) * Math.exp(0.005 * rng.normal()));

test('a ratio of two with its interval, and the inverse for the inverse', () => {
  const ratio = logRatioInterval(dense, sparse, { seed: 1 });
  expect(ratio.estimate).toBeCloseTo(2, 1);
  expect(ratio.low).toBeLessThan(ratio.estimate);
  expect(ratio.high).toBeGreaterThan(ratio.estimate);
  const paired = logRatioInterval(dense, sparse, { seed: 1, paired: true });
  const inverse = logRatioInterval(sparse, dense, { seed: 1, paired: true });
  expect(inverse.estimate).toBeCloseTo(1 / paired.estimate, 12);
  expect(inverse.low).toBeCloseTo(1 / paired.high, 2);
});

test('interleaved pairs give the narrower interval', () => {
  const paired = logRatioInterval(dense, sparse, { seed: 1, paired: true });
  const unpaired = logRatioInterval(dense, sparse, { seed: 1 });
  expect(paired.high - paired.low).toBeLessThan(unpaired.high - unpaired.low);
});

test.each([
  [[], [1]],
  [[1], []],
  [[0], [1]],
  [[1], [-1]],
  [[1], [Number.NaN]],
  [[Number.POSITIVE_INFINITY], [1]],
])('%j / %j is a typed error', (a, b) => {
  expect(() => logRatioInterval(a, b, { seed: 1 })).toThrow(expect.objectContaining({ name: 'MoaError', code: 'INVALID_ARGUMENT' }));
});
