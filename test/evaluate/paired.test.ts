import { describe, expect, it } from 'vitest';
import { pairedBinary, pairedGraded, pairUp } from '../../src/evaluate/paired.ts';

const pairs = (counts: readonly (readonly [own: number, other: number, count: number])[]) =>
  counts.flatMap(([own, other, count], i) => Array.from({ length: count }, (_, j) => ({ own, other, cluster: `${i}-${j}` })));

describe('pairedBinary', () => {
  it('counts flips both ways and tests them by the mid-p McNemar test', () => {
    const result = pairedBinary([
      pairs([
        [1, 1, 10],
        [0, 1, 6],
        [0, 0, 4],
      ]),
    ]);
    expect(result).toMatchObject({ lost: 6, gained: 0, test: 'mcnemar-mid-p', delta: { estimate: -0.3, n: 20 } });
    expect(result?.p).toBeCloseTo(1 / 64, 12);
  });

  it('weighs lengths the same, whatever their samples', () => {
    const few = pairs([
      [0, 1, 2],
      [1, 1, 2],
    ]);
    const many = pairs([[1, 1, 36]]);
    expect(pairedBinary([few, [], many])).toMatchObject({ delta: { estimate: -0.25, n: 40 }, lost: 2, gained: 0 });
  });

  it('does not take questions on one document for independent', () => {
    const answers = Array.from({ length: 12 }, (_, i) => ({ own: i < 4 ? 0 : 1, other: 1, cluster: `d${i}` }));
    const [one, four] = [pairedBinary([answers]), pairedBinary([answers.flatMap((pair) => [pair, pair, pair, pair])])];
    expect(four).toMatchObject({ test: 'stratified-t', lost: 16, delta: { n: 48, estimate: one?.delta.estimate } });
    expect(four?.p).toBeCloseTo(pairedGraded([answers])?.p ?? Number.NaN, 12);
  });

  it('has no result without pairs', () => {
    expect(pairedBinary([])).toBeNull();
    expect(pairedBinary([[]])).toBeNull();
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
    const small = Array.from({ length: 6 }, (_, i) => ({ own: 0.4 + 0.01 * i, other: 0.8, cluster: `s${i}` }));
    const large = Array.from({ length: 12 }, (_, i) => ({ own: 0.5 + 0.01 * i, other: 0.5 + 0.01 * i, cluster: `c${i}` }));
    const result = pairedGraded([small, large]);
    expect(result?.delta.estimate).toBeCloseTo((-0.4 + 0.025) / 2, 12);
    expect(result).toMatchObject({ test: 'stratified-t', lost: 6, gained: 0, delta: { n: 18 } });
    expect(result?.delta.high).toBeLessThan(0);
    expect(result?.p).toBeLessThan(0.001);
  });

  it('takes questions on one document as one observation', () => {
    const documents = Array.from({ length: 12 }, (_, i) => ({ own: 0.2 + 0.05 * i, other: 0.6 }));
    const questions = (perDocument: number) =>
      documents.flatMap((scores, i) => Array.from({ length: perDocument }, () => ({ ...scores, cluster: `d${i}` })));
    const [one, four] = [pairedGraded([questions(1)]), pairedGraded([questions(4)])];
    expect(four?.p).toBeCloseTo(one?.p ?? Number.NaN, 12);
    expect(four?.delta.low).toBeCloseTo(one?.delta.low ?? Number.NaN, 12);
    expect(four?.delta.high).toBeCloseTo(one?.delta.high ?? Number.NaN, 12);
  });

  it('is a point without a test of too few documents, or of none that differ', () => {
    const few = Array.from({ length: 5 }, (_, i) => ({ own: 0.1 * i, other: 0.6, cluster: `${i}` }));
    const alike = Array.from({ length: 9 }, (_, i) => ({ own: 0.4, other: 0.6, cluster: `${i}` }));
    for (const list of [few, alike]) expect(pairedGraded([list])).toMatchObject({ p: null, delta: { low: null, high: null } });
  });

  it('has no result without pairs', () => {
    expect(pairedGraded([[], []])).toBeNull();
  });
});
