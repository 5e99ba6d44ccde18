import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { effectiveContextOf, nonIncreasing } from '../../src/results/effective-context.ts';

const at = (length: number, correct: number, n = 200) => ({ length, correct, n });

describe('effectiveContextOf', () => {
  it('is the last length before accuracy first falls below the threshold', () => {
    const result = effectiveContextOf([at(1024, 200), at(2048, 198), at(4096, 100), at(8192, 199)], 0.9, 'seed');
    expect(result).toEqual({ threshold: 0.9, tokens: 2048, low: 2048, high: 2048, longestTested: 8192 });
  });

  it('is 0 when the shortest length fails, and never beyond the longest tested', () => {
    expect(effectiveContextOf([at(1024, 20)], 0.9, 'seed')).toMatchObject({ tokens: 0, low: 0, high: 0 });
    expect(effectiveContextOf([at(1024, 200)], 0.9, 'seed')).toMatchObject({ tokens: 1024, low: 1024, high: 1024 });
  });

  it('says how little a few samples prove', () => {
    const result = effectiveContextOf([at(1024, 20, 20), at(2048, 18, 20), at(4096, 17, 20)], 0.9, 'seed');
    expect(result.tokens).toBe(2048);
    expect(result.low).toBeLessThan(2048);
    expect(result.high).toBe(4096);
  });
});

describe('nonIncreasing', () => {
  it('pools neighbours that rise, by weight', () => {
    expect(nonIncreasing([0.9, 0.5, 0.8], [1, 1, 2])).toEqual([0.9, expect.closeTo(0.7, 12), expect.closeTo(0.7, 12)]);
  });

  it('never rises and keeps the weighted mean', () => {
    const points = fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 1, max: 50 })), {
      minLength: 1,
      maxLength: 12,
    });
    fc.assert(
      fc.property(points, (list) => {
        const weights = list.map(([, weight]) => weight);
        const fit = nonIncreasing(
          list.map(([value]) => value),
          weights,
        );
        for (let i = 1; i < fit.length; i++) expect(fit[i]).toBeLessThanOrEqual((fit[i - 1] ?? 0) + 1e-12);
        const mean = (values: readonly number[]): number => values.reduce((sum, value, i) => sum + value * (weights[i] ?? 0), 0);
        expect(mean(fit)).toBeCloseTo(mean(list.map(([value]) => value)), 9);
      }),
    );
  });
});
