import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Rng } from '../../src/core/rng.ts';
import { mcnemarExact, newcombePaired, wilsonInterval } from '../../src/core/statistics-proportion.ts';

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

describe('newcombePaired', () => {
  test('does not collapse when no pair disagrees', () => {
    // p = 1 on both sides: only Wilson's lower limit of 54/54 remains.
    const { low } = wilsonInterval(54, 54);
    const interval = newcombePaired({ both: 54, gained: 0, lost: 0, neither: 0 });
    expect(interval).toEqual({ estimate: 0, low: expect.closeTo(low - 1, 12), high: expect.closeTo(1 - low, 12), n: 54 });
  });

  test('is antisymmetric, holds the estimate and stays within [-1, 1]', () => {
    const count = fc.integer({ min: 0, max: 60 });
    fc.assert(
      fc.property(count, count, count, count, (both, gained, lost, neither) => {
        fc.pre(both + gained + lost + neither > 0);
        const own = newcombePaired({ both, gained, lost, neither });
        const swapped = newcombePaired({ both, gained: lost, lost: gained, neither });
        expect(own.low).toBeCloseTo(-swapped.high, 12);
        expect(own.low).toBeLessThanOrEqual(own.estimate);
        expect(own.high).toBeGreaterThanOrEqual(own.estimate);
        expect(own.low).toBeGreaterThanOrEqual(-1);
        expect(own.high).toBeLessThanOrEqual(1);
      }),
    );
  });

  test('covers the truth about 95 times in 100', () => {
    const rng = new Rng('coverage');
    const shares = [0.7, 0.03, 0.12, 0.15];
    let covered = 0;
    for (let study = 0; study < 1000; study++) {
      const counts = [0, 0, 0, 0];
      for (let pair = 0; pair < 80; pair++) {
        let u = rng.random();
        const cell = shares.findIndex((share) => {
          u -= share;
          return u < 0;
        });
        const at = cell < 0 ? 3 : cell;
        counts[at] = (counts[at] ?? 0) + 1;
      }
      const [both = 0, gained = 0, lost = 0, neither = 0] = counts;
      const { low, high } = newcombePaired({ both, gained, lost, neither });
      if (low <= -0.09 && high >= -0.09) covered++;
    }
    // 950 expected; three standard errors are 21.
    expect(covered).toBeGreaterThan(929);
    expect(covered).toBeLessThan(985);
  });
});
