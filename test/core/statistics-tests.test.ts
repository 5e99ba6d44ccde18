import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Rng } from '../../src/core/rng.ts';
import { holm, pairedPermutation } from '../../src/core/statistics-tests.ts';

test('Holm: R p.adjust(c(.01, .04, .03, .005), "holm")', () => {
  expect(holm([0.01, 0.04, 0.03, 0.005])).toEqual([0.03, 0.06, 0.06, 0.02]);
  expect(holm([])).toEqual([]);
  expect(() => holm([0.1, 1.5])).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
});

test('Holm never lowers a p-value, keeps their order, and is at most Bonferroni', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 20 }), (pValues) => {
      const adjusted = holm(pValues);
      pValues.forEach((p, i) => {
        expect(adjusted[i]).toBeGreaterThanOrEqual(p);
        expect(adjusted[i]).toBeLessThanOrEqual(Math.min(1, p * pValues.length));
        pValues.forEach((q, j) => {
          if (p < q) expect(adjusted[i]).toBeLessThanOrEqual(adjusted[j] as number);
        });
      });
    }),
  );
});

test('sign flips are enumerated for few pairs', () => {
  const ones = [1, 1, 1, 1, 1, 1];
  expect(pairedPermutation(ones, [0, 0, 0, 0, 0, 0], { rng: new Rng(1) })).toEqual({ p: 0.03125, meanDifference: 1, exact: true });
  expect(pairedPermutation([3, 1], [1, 3], { rng: new Rng(1) }).p).toBe(1);
  expect(pairedPermutation([1, 2], [1, 2], { rng: new Rng(1) })).toEqual({ p: 1, meanDifference: 0, exact: true });
  // Differences 0.1, 0.2, 0.3: |sum| >= 0.6 for 2 of 8 patterns, in spite of rounding.
  expect(pairedPermutation([0.1, 0.2, 0.3], [0, 0, 0], { rng: new Rng(1) }).p).toBe(0.25);
});

test('many pairs: Monte Carlo agrees with the binomial', () => {
  const first = Array.from({ length: 60 }, (_, i) => (i < 40 ? 1 : 0));
  const second = first.map((value) => 1 - value);
  const { p, exact } = pairedPermutation(first, second, { rng: new Rng('many'), permutations: 20_000 });
  expect(exact).toBe(false);
  // Exact 2 P(X <= 20) = 0.013489; four standard errors of 20,000 draws.
  expect(Math.abs(p - 0.013489)).toBeLessThan(0.0033);
});

test('lists of different length are a typed error', () => {
  expect(() => pairedPermutation([1], [], { rng: new Rng(1) })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
});
