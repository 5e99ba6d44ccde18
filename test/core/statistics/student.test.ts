import { expect, test } from 'vitest';
import { normalQuantile } from '../../../src/core/statistics/normal.ts';
import { studentCdf, studentP, studentQuantile } from '../../../src/core/statistics/student.ts';

// Quantiles at 97.5% and 95% as printed in tables of the t distribution; one and two degrees have closed forms.
test.each([
  [1, 0.975, Math.tan(Math.PI * 0.475)],
  [2, 0.975, 0.95 * Math.sqrt(2 / (1 - 0.95 ** 2))],
  [4, 0.975, 2.7764451051978],
  [4, 0.95, 2.1318467863267],
  [9, 0.975, 2.2621571627982],
  [30, 0.975, 2.0422724563012],
  [2.5, 0.975, 3.574674],
])('%d degrees at %d: %d', (df, p, expected) => {
  expect(studentQuantile(p, df)).toBeCloseTo(expected, expected === 3.574674 ? 2 : 9);
  expect(studentQuantile(1 - p, df)).toBeCloseTo(-studentQuantile(p, df), 9);
  expect(studentCdf(studentQuantile(p, df), df)).toBeCloseTo(p, 12);
});

test('one degree is Cauchy, many are normal', () => {
  for (const t of [-30, -2, -0.1, 0, 0.5, 4]) expect(studentCdf(t, 1)).toBeCloseTo(0.5 + Math.atan(t) / Math.PI, 12);
  expect(studentQuantile(0.975, 1e7)).toBeCloseTo(normalQuantile(0.975), 5);
});

test('p-values are two-sided, and small ones keep their digits', () => {
  expect(studentP(0, 3)).toBe(1);
  expect(studentP(-3, 5)).toBeCloseTo(2 * (1 - studentCdf(3, 5)), 12);
  // P(|T_2| > t) = 1 - t / sqrt(2 + t^2), about 1 / t^2 far out.
  expect(studentP(1e4, 2) / 1e-8).toBeCloseTo(1, 6);
});
