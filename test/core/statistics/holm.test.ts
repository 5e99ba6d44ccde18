import fc from 'fast-check';
import { expect, test } from 'vitest';
import { holm } from '../../../src/core/statistics/holm.ts';

test('Holm: R p.adjust(c(.01, .04, .03, .005), "holm")', () => {
  expect(holm([0.01, 0.04, 0.03, 0.005])).toEqual([0.03, 0.06, 0.06, 0.02]);
  expect(holm([])).toEqual([]);
  expect(() => holm([0.1, 1.5])).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
});

test('Holm never lowers a p-value, keeps their order, and is at most Bonferroni', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 20 }), (pValues) => {
      const adjusted = holm(pValues);
      pValues.forEach((p, i) => {
        expect(adjusted[i]).toBeGreaterThanOrEqual(p);
        expect(adjusted[i]).toBeLessThanOrEqual(Math.min(1, p * pValues.length));
        pValues.forEach((q, j) => {
          if (p < q) expect(adjusted[i]).toBeLessThanOrEqual(adjusted[j] as number);
        });
      });
    }),
  );
});
