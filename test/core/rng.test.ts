import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Rng } from '../../src/core/rng.ts';

test('a seed gives the same numbers for ever', () => {
  const rng = new Rng('moabench');
  expect([rng.uint32(), rng.uint32(), rng.int(1, 50_000), rng.random()]).toMatchInlineSnapshot(`
    [
      1712350863,
      849352182,
      9368,
      0.04300289457980988,
    ]
  `);
});

test('forks are independent of each other and of what the parent drew', () => {
  const parent = new Rng(1);
  const before = parent.fork('a').uint32();
  parent.uint32();
  expect(parent.fork('a').uint32()).toBe(before);
  expect(parent.fork('b').uint32()).not.toBe(before);
});

test('int covers its range evenly, both ends included', () => {
  const rng = new Rng(7);
  // 100,000 draws of 1/10 each: standard deviation sqrt(9,000); six of them.
  const draws = new Array<number>(10).fill(0);
  for (let i = 0; i < 100_000; i++) {
    const value = rng.int(0, 9);
    draws[value] = (draws[value] ?? 0) + 1;
  }
  for (const count of draws) expect(Math.abs(count - 10_000)).toBeLessThan(6 * Math.sqrt(9000));
});

test('shuffle and sample keep the items', () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), fc.nat(), (items, seed) => {
      const rng = new Rng(seed);
      expect(rng.shuffle(items).toSorted((a, b) => a - b)).toEqual(items.toSorted((a, b) => a - b));
      expect(rng.sample(items, items.length)).toHaveLength(items.length);
    }),
  );
});

test('normal has mean 0 and variance 1', () => {
  const rng = new Rng(3);
  const draws = Array.from({ length: 20_000 }, () => rng.normal());
  const mean = draws.reduce((a, b) => a + b) / draws.length;
  const variance = draws.reduce((a, b) => a + (b - mean) ** 2, 0) / draws.length;
  // Standard errors 1/sqrt(20,000) = 0.007 and sqrt(2/20,000) = 0.01; five of them.
  expect(Math.abs(mean)).toBeLessThan(0.035);
  expect(Math.abs(variance - 1)).toBeLessThan(0.05);
});
