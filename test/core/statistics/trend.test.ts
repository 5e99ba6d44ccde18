import { expect, test } from 'vitest';
import { Rng } from '../../../src/core/rng.ts';
import { trendTest } from '../../../src/core/statistics/trend.ts';

test('three rising values: one of six orders on either side', () => {
  expect(trendTest([[1, 2, 4]])).toEqual({ p: expect.closeTo(1 / 3, 12), leastP: expect.closeTo(1 / 3, 12), slope: 1.5 });
});

test('series add up: three of three rising values reject although none alone can', () => {
  const { p } = trendTest([
    [1, 2, 3],
    [10, 11, 12],
    [5, 6, 7],
  ]);
  expect(p).toBeCloseTo(2 / 6 ** 3, 12);
});

test('levels of series do not matter, order within them does', () => {
  const { p, slope } = trendTest([
    [100, 1, 2],
    [3, 2, 1],
  ]);
  expect(p).toBeGreaterThan(0.2);
  expect(slope).toBeLessThan(0);
});

test('the normal approximation of long series is near the exact p', () => {
  const rng = new Rng('trend');
  const values = Array.from({ length: 61 }, (_, i) => i * 0.02 + rng.normal());
  expect(trendTest([values]).p).toBeCloseTo(trendTest([values.slice(1)]).p, 1);
});

test('without a series of two there is nothing to test', () => {
  expect(() => trendTest([[1], [2]])).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
});
