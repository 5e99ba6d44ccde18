import fc from 'fast-check';
import { expect, test } from 'vitest';
import { effectiveContext } from '../../src/evaluate/effective-context.ts';
import type { RetrievalOutcome } from '../../src/evaluate/retrieval.ts';

const outcomes = (counts: Readonly<Record<number, readonly [number, number]>>): RetrievalOutcome[] =>
  Object.entries(counts).flatMap(([tokens, [correct, n]]) =>
    Array.from({ length: n }, (_, i) => ({ targetTokens: Number(tokens), correct: i < correct })),
  );

test('a sharp fall gives a sharp interval', () => {
  const result = effectiveContext(outcomes({ 1024: [100, 100], 2048: [100, 100], 4096: [30, 100], 8192: [5, 100] }), { seed: 1 });
  expect(result).toMatchObject({ tokens: 2048, low: 2048, high: 2048, highIsLimit: false, threshold: 0.9, n: 400 });
  expect(result.lengths[2]).toEqual({ tokens: 4096, correct: 30, n: 100, fitted: 0.3 });
});

test('few samples near the threshold give a wide one', () => {
  const result = effectiveContext(outcomes({ 1024: [10, 10], 2048: [9, 10], 4096: [9, 10], 8192: [8, 10] }), { seed: 1 });
  expect(result.tokens).toBe(4096);
  expect(result.low).toBeLessThan(4096);
  expect(result.high).toBe(8192);
  expect(result.highIsLimit).toBe(true);
});

test('every length up to the point must reach the threshold', () => {
  expect(effectiveContext(outcomes({ 1024: [8, 10], 2048: [10, 10] }), { seed: 1 }).tokens).toBe(0);
  expect(effectiveContext(outcomes({ 1024: [10, 10], 2048: [89, 100], 4096: [10, 10] }), { seed: 1 }).tokens).toBe(1024);
  expect(effectiveContext(outcomes({ 1024: [9, 10] }), { seed: 1 }).tokens).toBe(1024);
});

test('ten of ten is no certainty', () => {
  expect(effectiveContext(outcomes({ 1024: [10, 10] }), { seed: 1 }).low).toBe(0);
  expect(effectiveContext(outcomes({ 1024: [200, 200] }), { seed: 1 }).low).toBe(1024);
});

test('equal seeds give equal results, and bounds are ordered tested lengths', () => {
  const counts = fc.uniqueArray(fc.record({ tokens: fc.integer({ min: 1, max: 20 }), correct: fc.nat(12), wrong: fc.nat(12) }), {
    selector: ({ tokens }) => tokens,
    minLength: 1,
    maxLength: 6,
  });
  fc.assert(
    fc.property(counts, (list) => {
      const data = outcomes(Object.fromEntries(list.map(({ tokens, correct, wrong }) => [tokens, [correct, correct + wrong]])));
      fc.pre(data.length > 0);
      const result = effectiveContext(data, { seed: 2, draws: 200 });
      expect(effectiveContext([...data].reverse(), { seed: 2, draws: 200 })).toEqual(result);
      expect(result.low).toBeLessThanOrEqual(result.high);
      for (const bound of [result.tokens, result.low, result.high]) expect([0, ...data.map((o) => o.targetTokens)]).toContain(bound);
    }),
    { numRuns: 40 },
  );
});

test('no samples or an impossible threshold are typed errors', () => {
  expect(() => effectiveContext([], { seed: 1 })).toThrow(expect.objectContaining({ name: 'MoaError', code: 'INVALID_ARGUMENT' }));
  expect(() => effectiveContext(outcomes({ 1: [1, 1] }), { seed: 1, threshold: 1.1 })).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
  );
});
