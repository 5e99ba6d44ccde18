import fc from 'fast-check';
import { expect, test } from 'vitest';
import { effectiveContext } from '../../src/evaluate/effective-context.ts';

const of = (counts: Readonly<Record<number, readonly [correct: number, n: number]>>, threshold = 0.9) =>
  effectiveContext(
    Object.entries(counts).map(([length, [correct, n]]) => ({ length: Number(length), share: correct / n, trials: n })),
    { threshold, seed: 'seed' },
  );

test('a sharp fall gives a sharp interval', () => {
  expect(of({ 1024: [100, 100], 2048: [100, 100], 4096: [30, 100], 8192: [5, 100] })).toEqual({
    threshold: 0.9,
    tokens: 2048,
    low: 2048,
    high: 2048,
    longestTested: 8192,
  });
});

test('few samples near the threshold give a wide one', () => {
  const result = of({ 1024: [10, 10], 2048: [9, 10], 4096: [9, 10], 8192: [8, 10] });
  expect(result.tokens).toBe(4096);
  expect(result.low).toBeLessThan(4096);
  expect(result.high).toBe(8192);
});

test('every length up to the point must reach the threshold', () => {
  expect(of({ 1024: [8, 10], 2048: [10, 10] }).tokens).toBe(0);
  expect(of({ 1024: [10, 10], 2048: [89, 100], 4096: [10, 10] }).tokens).toBe(1024);
  expect(of({ 1024: [9, 10] }).tokens).toBe(1024);
});

test('ten of ten is no certainty', () => {
  expect(of({ 1024: [10, 10] }).low).toBe(0);
  expect(of({ 1024: [200, 200] }).low).toBe(1024);
});

test('an early dip by chance stays within the interval', () => {
  const result = of({ 1024: [89, 100], 2048: [500, 500], 4096: [500, 500] });
  expect(result).toMatchObject({ tokens: 0, low: 0, high: 4096 });
});

test('the order of lengths is no matter, and the interval of tested lengths holds the point', () => {
  const counts = fc.uniqueArray(
    fc.record({ length: fc.integer({ min: 1, max: 20 }), correct: fc.nat(12), wrong: fc.nat(12) }).filter((c) => c.correct + c.wrong > 0),
    { selector: ({ length }) => length, minLength: 1, maxLength: 6 },
  );
  fc.assert(
    fc.property(counts, (list) => {
      const data = list.map(({ length, correct, wrong }) => ({ length, share: correct / (correct + wrong), trials: correct + wrong }));
      const options = { threshold: 0.9, seed: 'seed' };
      const result = effectiveContext(data, options);
      expect(effectiveContext(data.toReversed(), options)).toEqual(result);
      expect(result.low).toBeLessThanOrEqual(result.tokens);
      expect(result.high).toBeGreaterThanOrEqual(result.tokens);
      for (const bound of [result.tokens, result.low, result.high]) expect([0, ...data.map((c) => c.length)]).toContain(bound);
    }),
    { numRuns: 20 },
  );
});

test('no lengths or an impossible threshold are typed errors', () => {
  expect(() => of({})).toThrow(expect.objectContaining({ name: 'MoaError', code: 'INVALID_ARGUMENT' }));
  expect(() => of({ 1: [1, 1] }, 1.1)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
});
