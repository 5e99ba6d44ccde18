import { describe, expect, it } from 'vitest';
import { wilsonInterval } from '../../src/core/statistics/proportion.ts';
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

  it('is as certain as the pooled proportion where all lengths are alike, and more so where they differ', () => {
    const alike = meanAccuracy([...at(1024, 7, 10), ...at(2048, 7, 10)]);
    const pooled = wilsonInterval(14, 20);
    expect(alike.estimate).toBeCloseTo(0.7, 12);
    expect((alike.high - alike.low) / (pooled.high - pooled.low)).toBeCloseTo(1, 1);
    const apart = meanAccuracy([...at(1024, 10, 10), ...at(2048, 4, 10)]);
    expect(apart.estimate).toBeCloseTo(0.7, 12);
    expect(apart.high - apart.low).toBeLessThan(0.9 * (pooled.high - pooled.low));
  });

  it('is no certainty where all answers are right', () => {
    const { estimate, low, high, n } = meanAccuracy([...at(1024, 12, 12), ...at(2048, 12, 12), ...at(4096, 12, 12)]);
    expect({ estimate, high, n }).toEqual({ estimate: 1, high: 1, n: 36 });
    expect(Math.abs(low - wilsonInterval(36, 36).low)).toBeLessThan(0.01);
  });

  it('weighs lengths the same, whatever their samples', () => {
    const mean = meanAccuracy([...at(1024, 8, 10), ...at(2048, 10, 40)]);
    expect(mean).toMatchObject({ estimate: expect.closeTo((0.8 + 0.25) / 2, 12), n: 50 });
    // Two standard errors of the mean of two proportions.
    const half = Math.sqrt((0.8 * 0.2) / 10 + (0.25 * 0.75) / 40);
    expect((mean.high - mean.low) / 2 / half).toBeCloseTo(1, 0);
  });
});

describe('questions that share documents', () => {
  const asked = (documents: number, perDocument: number, right: number) =>
    Array.from({ length: documents * perDocument }, (_, i) => sample(1024, null, i % documents < right, `d${i % documents}`));

  it('count as one each where a document answers all or none of its own', () => {
    const [at] = accuracyByLength(asked(12, 5, 8));
    const [alone] = accuracyByLength(asked(12, 1, 8));
    expect(at).toMatchObject({ correct: 40, accuracy: { n: 60, estimate: expect.closeTo(8 / 12, 12) } });
    expect(at?.accuracy.low).toBeLessThan((alone?.accuracy.low ?? 1) + 0.01);
    expect(at?.accuracy.high).toBeGreaterThan((alone?.accuracy.high ?? 0) - 0.01);
    expect(at?.accuracy.low).toBeLessThan(wilsonInterval(40, 60).low - 0.05);
  });

  it('are worth as many as there are documents where all are right', () => {
    const [at] = accuracyByLength(asked(10, 4, 10));
    expect(at?.accuracy.low).toBeLessThan(wilsonInterval(10, 10).low);
    expect(at?.accuracy).toMatchObject({ estimate: 1, high: 1, n: 40 });
  });
});
