import { describe, expect, it } from 'vitest';
import { wilsonInterval } from '../../src/core/statistics-proportion.ts';
import { accuracyByDepth, accuracyByLength, meanAccuracy, type RetrievalSample } from '../../src/evaluate/retrieval.ts';

const sample = (length: number, depth: number | null, correct: boolean, cluster = `${length}/${depth}`): RetrievalSample => ({
  length,
  depth,
  correct,
  cluster,
});
const few = [
  sample(2048, 0.05, true),
  sample(1024, 0.99, false),
  sample(1024, 0.93, true),
  sample(1024, 0, true),
  sample(1024, null, true),
];

describe('accuracy', () => {
  it('is counted by length with Wilson intervals', () => {
    expect(accuracyByLength(few)).toEqual([
      { length: 1024, correct: 3, accuracy: wilsonInterval(3, 4) },
      { length: 2048, correct: 1, accuracy: wilsonInterval(1, 1) },
    ]);
    expect(accuracyByLength([])).toEqual([]);
  });

  it('is counted by fifths of the depth where samples are few; those without a place are left out', () => {
    expect(accuracyByDepth(few)).toEqual([
      { length: 1024, depthLow: 0, depthHigh: 0.2, correct: 1, accuracy: wilsonInterval(1, 1) },
      { length: 1024, depthLow: 0.8, depthHigh: 1, correct: 1, accuracy: wilsonInterval(1, 2) },
      { length: 2048, depthLow: 0, depthHigh: 0.2, correct: 1, accuracy: wilsonInterval(1, 1) },
    ]);
  });

  it("is counted by tenths from 50 samples on; the context's end is in the last", () => {
    const cells = accuracyByDepth(Array.from({ length: 51 }, (_, i) => sample(1024, i / 50, i < 25)));
    expect(cells.map(({ depthLow, correct, accuracy }) => [Math.round(depthLow * 10), correct, accuracy.n])).toEqual([
      [0, 5, 5],
      [1, 5, 5],
      [2, 5, 5],
      [3, 5, 5],
      [4, 5, 5],
      [5, 0, 5],
      [6, 0, 5],
      [7, 0, 5],
      [8, 0, 5],
      [9, 0, 6],
    ]);
  });
});

describe('meanAccuracy', () => {
  const at = (length: number, correct: number, n: number) =>
    Array.from({ length: n }, (_, i) => sample(length, null, i < correct, `${length}/${i}`));

  it('is the pooled proportion where every length has as many samples', () => {
    expect(meanAccuracy([...at(1024, 10, 10), ...at(2048, 4, 10)], 'seed')).toEqual(wilsonInterval(14, 20));
  });

  it('weighs lengths the same, whatever their samples', () => {
    const mean = meanAccuracy([...at(1024, 8, 10), ...at(2048, 10, 40)], 'seed');
    expect(mean).toMatchObject({ estimate: expect.closeTo((0.8 + 0.25) / 2, 12), n: 50 });
    // Two standard errors of the mean of two proportions.
    const half = Math.sqrt((0.8 * 0.2) / 10 + (0.25 * 0.75) / 40);
    expect((mean.high - mean.low) / 2 / half).toBeCloseTo(1, 0);
  });
});
