import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/core/rng.ts';
import { wilsonInterval } from '../../src/core/statistics-proportion.ts';
import { adjustFamily, newcombePaired, pairedBinary, pairedGraded, pairUp } from '../../src/results/paired.ts';

const pairs = (counts: readonly (readonly [own: number, other: number, count: number])[]) =>
  counts.flatMap(([own, other, count], i) => Array.from({ length: count }, (_, j) => ({ own, other, cluster: `${i}-${j}` })));

describe('newcombePaired', () => {
  it('does not collapse when no pair disagrees', () => {
    // p = 1 on both sides: only Wilson's lower limit of 54/54 remains.
    const { low } = wilsonInterval(54, 54);
    const interval = newcombePaired({ both: 54, gained: 0, lost: 0, neither: 0 });
    expect(interval).toEqual({ estimate: 0, low: expect.closeTo(low - 1, 12), high: expect.closeTo(1 - low, 12), n: 54 });
  });

  it('is antisymmetric, holds the estimate and stays within [-1, 1]', () => {
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

  it('covers the truth about 95 times in 100', () => {
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

describe('pairedBinary', () => {
  it('counts flips both ways and tests them exactly', () => {
    const result = pairedBinary(
      'dense',
      pairs([
        [1, 1, 10],
        [0, 1, 6],
        [1, 0, 0],
        [0, 0, 4],
      ]),
    );
    expect(result).toMatchObject({ other: 'dense', lost: 6, gained: 0, test: 'mcnemar-exact', delta: { estimate: -0.3, n: 20 } });
    expect(result?.p).toBeCloseTo(2 / 64, 12);
  });

  it('has no result without pairs', () => {
    expect(pairedBinary('dense', [])).toBeNull();
  });
});

describe('pairUp', () => {
  it('matches by sample id, never by order', () => {
    const own = [
      { sampleId: 'b', cluster: 'x', score: 1 },
      { sampleId: 'a', cluster: 'y', score: 0 },
      { sampleId: 'z', cluster: 'y', score: 1 },
    ];
    const other = [
      { sampleId: 'a', cluster: 'y', score: 0.5 },
      { sampleId: 'b', cluster: 'x', score: 0.25 },
    ];
    expect(pairUp(own, other)).toEqual([
      { own: 1, other: 0.25, cluster: 'x' },
      { own: 0, other: 0.5, cluster: 'y' },
    ]);
  });
});

describe('pairedGraded', () => {
  it('is the unweighted mean over tasks, whatever their sizes', () => {
    const small = [
      { own: 0.4, other: 0.8, cluster: 'a' },
      { own: 0.6, other: 1, cluster: 'b' },
    ];
    const large = Array.from({ length: 12 }, (_, i) => ({ own: 0.5 + 0.01 * i, other: 0.5 + 0.01 * i, cluster: `c${i}` }));
    const result = pairedGraded('dense', [small, large], 'seed');
    expect(result?.delta.estimate).toBeCloseTo(-0.2, 12);
    expect(result).toMatchObject({ test: 'sign-flip', lost: 2, gained: 0, detectable: null, delta: { n: 14 } });
    // Two non-zero clusters of the same sign: 2 of 4 sign patterns are as extreme.
    expect(result?.p).toBeCloseTo(0.5, 12);
  });
});

describe('adjustFamily', () => {
  it('adjusts by Holm and leaves gaps where nothing was compared', () => {
    const a = pairedBinary(
      'dense',
      pairs([
        [0, 1, 6],
        [1, 1, 4],
      ]),
    );
    const b = pairedBinary(
      'dense',
      pairs([
        [0, 1, 8],
        [1, 1, 4],
      ]),
    );
    const [first, gap, second] = adjustFamily([a, null, b]);
    expect(gap).toBeNull();
    expect(second?.pHolm).toBeCloseTo(2 * (2 / 256), 12);
    expect(first?.pHolm).toBeCloseTo(2 / 64, 12);
  });
});
