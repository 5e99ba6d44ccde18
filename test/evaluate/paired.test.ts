import { describe, expect, it } from 'vitest';
import { pairedBinary, pairedGraded, pairUp } from '../../src/evaluate/paired.ts';

const pairs = (counts: readonly (readonly [own: number, other: number, count: number])[]) =>
  counts.flatMap(([own, other, count], i) => Array.from({ length: count }, (_, j) => ({ own, other, cluster: `${i}-${j}` })));

describe('pairedBinary', () => {
  it('counts flips both ways and tests them exactly', () => {
    const result = pairedBinary(
      pairs([
        [1, 1, 10],
        [0, 1, 6],
        [1, 0, 0],
        [0, 0, 4],
      ]),
    );
    expect(result).toMatchObject({ lost: 6, gained: 0, test: 'mcnemar-exact', delta: { estimate: -0.3, n: 20 } });
    expect(result?.p).toBeCloseTo(2 / 64, 12);
  });

  it('says what so many pairs show, with the flips that went both ways as noise', () => {
    expect(pairedBinary(pairs([[1, 1, 8]]))?.detectable).toBeCloseTo(0.801, 3);
    expect(pairedBinary(pairs([[1, 1, 5]]))?.detectable).toBeNull();
    const flips = (lost: number, gained: number) =>
      pairedBinary(
        pairs([
          [1, 1, 100 - lost - gained],
          [0, 1, lost],
          [1, 0, gained],
        ]),
      )?.detectable;
    expect(flips(7, 3)).toBe(flips(3, 3));
    expect(flips(3, 3)).toBeGreaterThan(flips(3, 0) ?? 1);
  });

  it('has no result without pairs', () => {
    expect(pairedBinary([])).toBeNull();
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
    const result = pairedGraded([small, large], 'seed');
    expect(result?.delta.estimate).toBeCloseTo(-0.2, 12);
    expect(result).toMatchObject({ test: 'sign-flip', lost: 2, gained: 0, detectable: null, delta: { n: 14 } });
    // Two non-zero clusters of the same sign: 2 of 4 sign patterns are as extreme.
    expect(result?.p).toBeCloseTo(0.5, 12);
  });

  it('takes questions on one document as one observation', () => {
    const documents = Array.from({ length: 12 }, (_, i) => ({ own: 0.2 + 0.05 * i, other: 0.6 }));
    const questions = (perDocument: number) =>
      documents.flatMap((scores, i) => Array.from({ length: perDocument }, () => ({ ...scores, cluster: `d${i}` })));
    const [one, four] = [pairedGraded([questions(1)], 'seed'), pairedGraded([questions(4)], 'seed')];
    expect(four?.p).toBe(one?.p);
    expect(four?.delta.low).toBeCloseTo(one?.delta.low ?? Number.NaN, 12);
    expect(four?.delta.high).toBeCloseTo(one?.delta.high ?? Number.NaN, 12);
  });

  it('has no result without pairs', () => {
    expect(pairedGraded([[], []], 'seed')).toBeNull();
  });
});
