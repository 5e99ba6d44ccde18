import fc from 'fast-check';
import { expect, test } from 'vitest';
import { normalCdf, normalQuantile } from '../../../src/core/statistics/normal.ts';

test('the distribution function and its inverse have the values of scipy.stats.norm', () => {
  expect(normalCdf(0)).toBe(0.5);
  expect(normalCdf(1.959963984540054)).toBeCloseTo(0.975, 14);
  expect(normalCdf(-3)).toBeCloseTo(0.0013498980316300933, 15);
  expect(normalCdf(-8) / 6.220960574271785e-16).toBeCloseTo(1, 12);
  expect(normalCdf(-20) / 2.7536241186062337e-89).toBeCloseTo(1, 12);
  expect(normalQuantile(0.975)).toBeCloseTo(1.959963984540054, 13);
  expect(normalQuantile(0.8)).toBeCloseTo(0.8416212335729143, 13);
  expect(normalQuantile(1e-10)).toBeCloseTo(-6.361340902404056, 11);
  expect([normalQuantile(0), normalQuantile(0.5), normalQuantile(1)]).toEqual([Number.NEGATIVE_INFINITY, 0, Number.POSITIVE_INFINITY]);
});

test('the quantile inverts the distribution function', () => {
  fc.assert(
    fc.property(fc.double({ min: 1e-12, max: 1 - 1e-9, noNaN: true }), (p) => {
      expect(normalCdf(normalQuantile(p)) / p).toBeCloseTo(1, 10);
    }),
  );
});

test('probabilities out of range are typed errors', () => {
  for (const p of [-0.1, 1.1, Number.NaN]) {
    expect(() => normalQuantile(p)).toThrow(expect.objectContaining({ name: 'MoaError', code: 'INVALID_ARGUMENT' }));
  }
});
