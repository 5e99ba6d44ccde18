import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mcnemarExact, pairedProportions, wilsonInterval } from '../../../src/core/statistics/proportion.ts';

test.each([
  // Newcombe 1998, table I, method 3 (15/148, 1/29), and 9/10, 90/100, 450/500
  [9, 10, 0.596, 0.982],
  [90, 100, 0.826, 0.945],
  [450, 500, 0.871, 0.923],
  [15, 148, 0.0624, 0.1605],
  [1, 29, 0.0061, 0.1718],
  [0, 20, 0, 0.1611],
])('Wilson interval of %i/%i', (successes, trials, low, high) => {
  const interval = wilsonInterval(successes, trials);
  expect(interval.low).toBeCloseTo(low, 3);
  expect(interval.high).toBeCloseTo(high, 3);
  expect(interval).toMatchObject({ estimate: successes / trials, n: trials });
});

test('without trials everything is possible', () => {
  expect(wilsonInterval(0, 0)).toEqual({ estimate: Number.NaN, low: 0, high: 1, n: 0 });
});

test('Wilson intervals hold the estimate, stay in [0, 1], mirror, and widen with confidence', () => {
  const counts = fc.integer({ min: 1, max: 3000 }).chain((trials) => fc.tuple(fc.integer({ min: 0, max: trials }), fc.constant(trials)));
  fc.assert(
    fc.property(counts, fc.double({ min: 0.01, max: 0.999, noNaN: true }), ([successes, trials], level) => {
      const { low, high, estimate } = wilsonInterval(successes, trials, level);
      expect(0 <= low && low <= estimate && estimate <= high && high <= 1).toBe(true);
      const mirrored = wilsonInterval(trials - successes, trials, level);
      expect(mirrored.low).toBeCloseTo(1 - high, 10);
      const wider = wilsonInterval(successes, trials, (level + 1) / 2);
      expect(wider.high - wider.low).toBeGreaterThan(high - low);
    }),
  );
});

test('exact McNemar: the least discordance that is significant is 6:0', () => {
  expect(mcnemarExact(6, 0)).toEqual({ p: 0.03125, midP: 0.015625, discordant: 6 });
  expect(mcnemarExact(5, 0).p).toBe(0.0625);
  expect(mcnemarExact(0, 0)).toEqual({ p: 1, midP: 1, discordant: 0 });
  // Python: 2 * sum(comb(n, i) for i in range(k + 1)) / 2**n, exact integers
  expect(mcnemarExact(650, 550).p / 0.004245640154669528).toBeCloseTo(1, 9);
  expect(mcnemarExact(15, 45).p).toBeCloseTo(0.00013451408092849532, 15);
  expect(mcnemarExact(30, 30).p).toBe(1);
});

test('exact McNemar is symmetric, a probability, and stands thousands of pairs', () => {
  fc.assert(
    fc.property(fc.nat(4000), fc.nat(4000), (a, b) => {
      const { p, midP } = mcnemarExact(a, b);
      expect(mcnemarExact(b, a)).toEqual({ p, midP, discordant: a + b });
      expect(midP >= 0 && midP <= p && p <= 1).toBe(true);
    }),
    { numRuns: 50 },
  );
});

test('arguments out of range are typed errors', () => {
  const calls = [
    () => wilsonInterval(2, 1),
    () => wilsonInterval(-1, 1),
    () => wilsonInterval(0.5, 1),
    () => wilsonInterval(1, 2, 1),
    () => mcnemarExact(-1, 2),
    () => mcnemarExact(1.5, 2),
  ];
  for (const call of calls) expect(call).toThrow(expect.objectContaining({ name: 'MoaError', code: 'INVALID_ARGUMENT' }));
});

describe('pairedProportions', () => {
  test('is the interval of Bonett and Price', () => {
    // 12 gained and 3 lost of 50: (13 - 4) / 52 +- 1.96 sqrt((17 / 52 - (9 / 52)^2) / 52)
    const half = 1.959963984540054 * Math.sqrt((17 / 52 - (9 / 52) ** 2) / 52);
    expect(pairedProportions([{ gained: 12, lost: 3, n: 50 }])).toEqual({
      estimate: 0.18,
      low: expect.closeTo(9 / 52 - half, 12),
      high: expect.closeTo(9 / 52 + half, 12),
      n: 50,
    });
  });

  test('does not collapse when no pair disagrees', () => {
    const { estimate, low, high } = pairedProportions([{ gained: 0, lost: 0, n: 54 }]);
    expect(estimate).toBe(0);
    expect(low).toBeCloseTo(-high, 12);
    expect(high).toBeGreaterThan(0.04);
  });

  test('weighs strata the same, whatever their sizes', () => {
    const strata = [
      { gained: 0, lost: 5, n: 10 },
      { gained: 10, lost: 0, n: 100 },
    ];
    expect(pairedProportions(strata)).toMatchObject({ estimate: expect.closeTo((-0.5 + 0.1) / 2, 12), n: 110 });
    expect(() => pairedProportions([])).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });

  test('is antisymmetric, holds the estimate and stays within [-1, 1]', () => {
    const count = fc.integer({ min: 0, max: 60 });
    const stratum = fc.tuple(count, count, count).filter(([gained, lost, alike]) => gained + lost + alike > 0);
    fc.assert(
      fc.property(fc.array(stratum, { minLength: 1, maxLength: 4 }), (counts) => {
        const strata = counts.map(([gained, lost, alike]) => ({ gained, lost, n: gained + lost + alike }));
        const own = pairedProportions(strata);
        const swapped = pairedProportions(strata.map(({ gained, lost, n }) => ({ gained: lost, lost: gained, n })));
        expect(own.low).toBeCloseTo(-swapped.high, 12);
        expect(own.low).toBeLessThanOrEqual(own.estimate);
        expect(own.high).toBeGreaterThanOrEqual(own.estimate);
        expect(own.low).toBeGreaterThanOrEqual(-1);
        expect(own.high).toBeLessThanOrEqual(1);
      }),
    );
  });
});
