import { describe, expect, test } from 'vitest';
import { bitDifference, difference } from '../../src/conformance/compare.ts';

describe('difference', () => {
  test('is relative to the largest expected magnitude', () => {
    expect(difference([1, -4.4, 0.5], [1, -4, 0.5])).toEqual({ error: expect.closeTo(0.1, 12), worst: '[1] -4.4 instead of -4' });
  });

  test('equal arrays, non-finite elements included, differ by nothing', () => {
    const values = [1, Number.NaN, Infinity, -Infinity, 0];
    expect(difference(values, values)).toEqual({ error: 0, worst: 'equal' });
  });

  test.each([
    [
      [1, Number.NaN],
      [1, 2],
    ],
    [
      [1, Infinity],
      [1, 2],
    ],
    [
      [1, 2],
      [1, Number.NaN],
    ],
    [
      [1, -Infinity],
      [1, Infinity],
    ],
    [[1], [1, 2]],
    [
      [0, 1e-30],
      [0, 0],
    ],
    [[Number.NaN], [0]],
  ])('%j instead of %j is an infinite error', (actual, expected) => {
    expect(difference(actual, expected).error).toBe(Infinity);
  });

  test('a zero of the other sign is the same number', () => {
    expect(difference([-0, 1], [0, 1]).error).toBe(0);
  });
});

describe('bitDifference', () => {
  test('is null for equal bits, NaN included', () => {
    expect(bitDifference(Float32Array.of(1, Number.NaN), Float32Array.of(1, Number.NaN))).toBeNull();
  });

  test.each([
    [Float32Array.of(1, 0), Float32Array.of(1, -0), '[1] 0 after 0'],
    [Float64Array.of(1, 2, 3), Float64Array.of(1, 2 + 2 ** -51, 3), '[1] 2.0000000000000004 after 2'],
    [Int32Array.of(5), Int32Array.of(5, 6), 'has 2 elements instead of 1'],
  ])('%o and %o differ', (first, second, expected) => {
    expect(bitDifference(first, second)).toBe(expected);
  });
});
