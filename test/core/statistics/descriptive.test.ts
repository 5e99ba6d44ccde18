import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mean, median, medianAbsoluteDeviation, quantile, standardDeviation, sum } from '../../../src/core/statistics/descriptive.ts';

const numbers = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 50 });

test('mean, deviations and quantiles have the values of NumPy and of textbooks', () => {
  expect(mean([1, 2, 3, 4])).toBe(2.5);
  expect(standardDeviation([2, 4, 4, 4, 5, 5, 7, 9])).toBeCloseTo(2.138089935299395, 14);
  expect(standardDeviation([7])).toBe(0);
  // NumPy: np.quantile([1, 2, 3, 4], [0, .1, .5, .9, 1])
  expect([0, 0.1, 0.5, 0.9, 1].map((level) => quantile([4, 1, 3, 2], level))).toEqual([1, 1.3, 2.5, 3.7, 4]);
  expect(medianAbsoluteDeviation([1, 1, 2, 2, 4, 6, 9])).toBe(1);
});

test('sums keep small terms beside large ones', () => {
  expect(sum([1e16, 1, -1e16, 1])).toBe(2);
});

test('empty lists and levels out of range are typed errors', () => {
  for (const call of [
    () => mean([]),
    () => median([]),
    () => standardDeviation([]),
    () => quantile([1], 1.5),
    () => quantile([1], Number.NaN),
  ]) {
    expect(call).toThrow(expect.objectContaining({ name: 'MoaError', code: 'INVALID_ARGUMENT' }));
  }
});

test('values that are not numbers are typed errors, wherever they are', () => {
  for (const call of [mean, median, standardDeviation, medianAbsoluteDeviation, (values: number[]) => quantile(values, 0.25)]) {
    for (const values of [[Number.NaN], [1, 2, Number.NaN], [Number.NaN, 1, 2]])
      expect(() => call(values)).toThrow(expect.objectContaining({ name: 'MoaError', code: 'INVALID_ARGUMENT' }));
  }
});

test('quantiles are monotone in the level, within the range, and ignore order', () => {
  fc.assert(
    fc.property(numbers, fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }), (values, a, b) => {
      const [low, high] = [quantile(values, Math.min(a, b)), quantile(values, Math.max(a, b))];
      expect(low).toBeLessThanOrEqual(high);
      expect(low).toBeGreaterThanOrEqual(Math.min(...values));
      expect(high).toBeLessThanOrEqual(Math.max(...values));
      expect(quantile([...values].reverse(), a)).toBe(quantile(values, a));
    }),
  );
});
