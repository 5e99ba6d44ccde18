import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Rng } from '../../../src/core/rng.ts';
import { pseudomedian, signedRankInterval, signedRankP } from '../../../src/core/statistics/signed-rank.ts';

test('the pseudomedian is the median of pair averages', () => {
  expect(pseudomedian([3])).toBe(3);
  expect(pseudomedian([1, 2, 9])).toBe(3.5); // 1, 1.5, 2, 5, 5.5, 9
});

/** By listing all sign patterns. */
function enumeratedP(values: readonly number[]): number {
  const ranks = values.map((v) => {
    const less = values.filter((other) => Math.abs(other) < Math.abs(v)).length;
    const same = values.filter((other) => Math.abs(other) === Math.abs(v)).length;
    return less + (same + 1) / 2;
  });
  const total = ranks.reduce((a, b) => a + b, 0);
  const distance = (positive: number): number => Math.abs(positive - total / 2);
  const seen = distance(ranks.reduce((sum, rank, i) => sum + ((values[i] as number) > 0 ? rank : 0), 0));
  let hits = 0;
  for (let pattern = 0; pattern < 2 ** values.length; pattern++) {
    const positive = ranks.reduce((sum, rank, i) => sum + ((pattern >> i) & 1 ? rank : 0), 0);
    if (distance(positive) >= seen) hits++;
  }
  return hits / 2 ** values.length;
}

test('p is the share of sign patterns at least as extreme, also with ties', () => {
  const values = fc.array(
    fc.integer({ min: -6, max: 6 }).filter((v) => v !== 0),
    { minLength: 1, maxLength: 9 },
  );
  fc.assert(
    fc.property(values, (list) => {
      expect(signedRankP(list)).toBeCloseTo(enumeratedP(list), 12);
    }),
  );
});

test('the interval holds exactly the centres that the test does not reject', () => {
  const rng = new Rng('duality');
  for (const n of [6, 7, 9, 12]) {
    const list = Array.from({ length: n }, () => rng.normal());
    const interval = signedRankInterval(list);
    const p = (centre: number): number => signedRankP(list.map((v) => v - centre));
    for (const [inner, outer] of [
      [(interval?.low ?? 0) + 1e-9, (interval?.low ?? 0) - 1e-9],
      [(interval?.high ?? 0) - 1e-9, (interval?.high ?? 0) + 1e-9],
    ] as const) {
      expect(p(inner)).toBeGreaterThan(0.05);
      expect(p(outer)).toBeLessThanOrEqual(0.05);
    }
  }
});

test('five values have no interval at 95%, six have their range', () => {
  expect(signedRankInterval([1, 2, 3, 4, 5])).toBeNull();
  expect(signedRankInterval([1, 2, 3, 4, 5, 6])).toEqual({ low: 1, high: 6 });
  expect(signedRankInterval([1, 2, 3, 4, 5], 0.9)).toEqual({ low: 1, high: 5 });
});

test('beyond counting, the approximation continues the exact values', () => {
  const values = (n: number): number[] => Array.from({ length: n }, (_, i) => Math.sin(i) + 0.25);
  const [exact, approximate] = [signedRankInterval(values(50)), signedRankInterval(values(51))];
  expect(approximate?.low).toBeCloseTo(exact?.low ?? Number.NaN, 1);
  expect(approximate?.high).toBeCloseTo(exact?.high ?? Number.NaN, 1);
  expect(signedRankP(values(51))).toBeCloseTo(signedRankP(values(50)), 1);
});

test.each([[[]], [[1, Number.NaN]], [[Number.POSITIVE_INFINITY]]])('%j is a typed error', (values) => {
  for (const call of [pseudomedian, signedRankInterval, signedRankP]) {
    expect(() => call(values)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  }
});
