import { expect, test } from 'vitest';
import { Rng } from '../../../src/core/rng.ts';
import { betaVariate } from '../../../src/core/statistics/beta.ts';
import { mean } from '../../../src/core/statistics/descriptive.ts';

test.each([
  [0.5, 0.5],
  [10.5, 0.5],
  [3, 7],
  [1, 1],
])('Beta(%d, %d): mean and variance of 20,000 draws', (a, b) => {
  const rng = new Rng(`beta/${a}/${b}`);
  const draws = Array.from({ length: 20_000 }, () => betaVariate(a, b, rng));
  const centre = a / (a + b);
  const variance = (a * b) / ((a + b) ** 2 * (a + b + 1));
  expect(Math.abs(mean(draws) - centre)).toBeLessThan(4 * Math.sqrt(variance / 20_000));
  expect(mean(draws.map((x) => (x - centre) ** 2)) / variance).toBeCloseTo(1, 1);
  expect(draws.every((x) => x >= 0 && x <= 1)).toBe(true);
});

test('shapes that are not positive are a typed error', () => {
  expect(() => betaVariate(0, 1, new Rng(1))).toThrow(expect.objectContaining({ name: 'MoaError', code: 'INVALID_ARGUMENT' }));
});
