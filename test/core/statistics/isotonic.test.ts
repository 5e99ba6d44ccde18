import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nonIncreasingFit } from '../../../src/core/statistics/isotonic.ts';

test('violators are pooled to their weighted mean', () => {
  expect(nonIncreasingFit([1, 0.8, 0.9, 0.5], [1, 1, 1, 1])).toEqual([1, 0.8500000000000001, 0.8500000000000001, 0.5]);
  expect(nonIncreasingFit([0, 1], [1, 3])).toEqual([0.75, 0.75]);
  expect(nonIncreasingFit([1, 2, 3], [1, 1, 1])).toEqual([2, 2, 2]);
  expect(nonIncreasingFit([], [])).toEqual([]);
});

test('the fit is monotone, keeps the weighted mean, and no monotone neighbour is closer', () => {
  const pairs = fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 1, max: 20 })), {
    minLength: 1,
    maxLength: 12,
  });
  fc.assert(
    fc.property(pairs, (list) => {
      const values = list.map(([value]) => value);
      const weights = list.map(([, weight]) => weight);
      const fit = nonIncreasingFit(values, weights);
      for (let i = 1; i < fit.length; i++) expect(fit[i]).toBeLessThanOrEqual(fit[i - 1] as number);
      const total = (x: readonly number[]): number => x.reduce((sum, value, i) => sum + value * (weights[i] as number), 0);
      expect(total(fit)).toBeCloseTo(total(values), 9);
      const distance = (x: readonly number[]): number =>
        x.reduce((sum, value, i) => sum + (weights[i] as number) * (value - (values[i] as number)) ** 2, 0);
      const sorted = [...values].sort((a, b) => b - a);
      const mixed = fit.map((value, i) => 0.9 * value + 0.1 * (sorted[i] as number));
      expect(distance(fit)).toBeLessThanOrEqual(distance(mixed) + 1e-12);
    }),
  );
});
