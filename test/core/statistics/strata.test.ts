import { describe, expect, test } from 'vitest';
import {
  boundedInterval,
  fiellerInterval,
  type StratifiedEstimate,
  spreadOf,
  studentInterval,
  studentTest,
} from '../../../src/core/statistics/strata.ts';
import { studentP, studentQuantile } from '../../../src/core/statistics/student.ts';

/** The unweighted mean over strata of means. */
const meanOf = (strata: readonly (readonly number[])[]): StratifiedEstimate => {
  const means = strata.map((values) => values.reduce((a, b) => a + b, 0) / values.length);
  return {
    estimate: means.reduce((a, b) => a + b, 0) / means.length,
    influences: strata.map((values, s) => values.map((value) => (value - (means[s] as number)) / values.length / strata.length)),
    scale: Math.max(...strata.flat().map(Math.abs)),
    n: strata.flat().length,
  };
};

const sample = [4.2, 5.1, 3.9, 6.4, 5.8, 4.7]; // mean 5.0166..., s 0.953764...
const other = [1.2, 0.4, 2.6, 3.1];

test('one stratum is the textbook t interval', () => {
  const interval = studentInterval(meanOf([sample]), 3);
  const half = (studentQuantile(0.975, 5) * 0.9537644713) / Math.sqrt(6);
  expect(interval).toEqual({
    estimate: expect.closeTo(5.01666667, 7),
    low: expect.closeTo(5.01666667 - half, 7),
    high: expect.closeTo(5.01666667 + half, 7),
    n: 6,
  });
});

test('two strata have the degrees of Welch and Satterthwaite', () => {
  const [a, b] = [0.9096666667 / 6, 1.5491666667 / 4]; // variances over counts
  const spread = spreadOf(meanOf([sample, other]), 3);
  expect(spread?.variance).toBeCloseTo((a + b) / 4, 9);
  expect(spread?.degrees).toBeCloseTo((a + b) ** 2 / (a ** 2 / 5 + b ** 2 / 3), 7);
});

test('the p-value is below 0.05 just where the interval leaves out 0', () => {
  for (const shift of [-6, -4, -3.2, -3.1, -3, -2.9, -2.8, -2, 0, 2]) {
    const mean = meanOf([sample.map((value) => value + shift), other.map((value) => value + shift)]);
    const { low, high } = studentInterval(mean, 3);
    expect((studentTest(mean, 3) ?? 1) < 0.05).toBe((low ?? 0) > 0 || (high ?? 0) < 0);
  }
  expect(studentTest(meanOf([[1, 2, 3]]), 3)).toBeCloseTo(studentP(2 / Math.sqrt(1 / 3), 2), 12);
});

describe('there is no interval', () => {
  const point = { low: null, high: null };

  test('of fewer units than asked for in any stratum', () => {
    expect(studentInterval(meanOf([sample, [1, 2]]), 3)).toMatchObject({ ...point, n: 8 });
    expect(studentTest(meanOf([sample, [1, 2]]), 3)).toBeNull();
    expect(studentInterval(meanOf([sample, [1, 2]]), 2).low).not.toBeNull();
  });

  test('where nothing varies, rounding apart', () => {
    const almost = [0.1, 0.1 + 1e-16, 0.3 - 0.2, 0.1];
    for (const interval of [studentInterval, boundedInterval])
      expect(interval(meanOf([almost, [0.7, 0.7, 0.7]]), 3)).toMatchObject({ ...point, n: 7 });
    expect(studentTest(meanOf([almost]), 3)).toBeNull();
  });

  test('but where one stratum varies there is', () => {
    expect(
      boundedInterval(
        meanOf([
          [1, 1, 1],
          [0, 1, 1],
        ]),
        3,
      ).low,
    ).toBeLessThan(0.8);
  });

  test('asking for less than two units is an error', () => {
    expect(() => spreadOf(meanOf([sample]), 1)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });
});

test("a bounded mean keeps within [0, 1], and is Student's in the middle", () => {
  const high = boundedInterval(meanOf([[1, 1, 1, 1, 1, 0.4]]), 3);
  expect(high.high).toBeLessThan(1);
  expect(high.low).toBeGreaterThan(0);
  expect(studentInterval(meanOf([[1, 1, 1, 1, 1, 0.4]]), 3).high).toBeGreaterThan(1);
  const middle = meanOf([Array.from({ length: 400 }, (_, i) => 0.4 + 0.2 * (i % 2))]);
  expect(boundedInterval(middle, 3).low).toBeCloseTo(studentInterval(middle, 3).low ?? Number.NaN, 4);
});

describe('the ratio of two means over the same units', () => {
  const doubled = sample.map((value, i) => 2 * value + (i % 2 === 0 ? 0.1 : -0.1));

  test('is made of the ratios that a paired t test does not reject', () => {
    const [own, base] = [meanOf([doubled]), meanOf([sample])];
    const interval = fiellerInterval(own, base, 3);
    expect(interval?.estimate).toBeCloseTo(2, 10);
    for (const limit of [interval?.low ?? 0, interval?.high ?? 0]) {
      const differences = meanOf([doubled.map((value, i) => value - limit * (sample[i] as number))]);
      expect(studentTest(differences, 3)).toBeCloseTo(0.05, 6);
    }
  });

  test('is a point where it is constant, and none where the denominator is 0', () => {
    expect(fiellerInterval(meanOf([sample.map((value) => 0.9 * value)]), meanOf([sample]), 3)).toEqual({
      estimate: expect.closeTo(0.9, 12),
      low: null,
      high: null,
      n: 6,
    });
    expect(fiellerInterval(meanOf([sample]), meanOf([sample.map(() => 0)]), 3)).toBeNull();
  });

  test('has no limits where the denominator may be 0', () => {
    expect(fiellerInterval(meanOf([sample]), meanOf([[0, 0, 0, 0, 0, 1]]), 3)).toMatchObject({ low: null, high: null });
  });
});
