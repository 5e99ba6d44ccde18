import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Rng } from '../../../src/core/rng.ts';
import { detectableDifference, mcnemarPower } from '../../../src/core/statistics/power.ts';
import { mcnemarExact } from '../../../src/core/statistics/proportion.ts';

/** Every run of `pairs` pairs, one after another: the chance of those that the test calls a loss. */
function enumeratedPower({ pairs, background, difference }: { pairs: number; background: number; difference: number }): number {
  const walk = (left: number, lost: number, gained: number): number => {
    if (left === 0) return lost > gained && mcnemarExact(gained, lost).midP < 0.05 ? 1 : 0;
    return (
      (background + difference) * walk(left - 1, lost + 1, gained) +
      background * walk(left - 1, lost, gained + 1) +
      (1 - 2 * background - difference) * walk(left - 1, lost, gained)
    );
  };
  return walk(pairs, 0, 0);
}

test('the power is that of enumeration', () => {
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), share, share, (pairs, noise, effect) => {
      const background = noise / 2;
      const options = { pairs, background, difference: effect * (1 - 2 * background) };
      expect(mcnemarPower(options)).toBeCloseTo(enumeratedPower(options), 9);
    }),
    { numRuns: 40 },
  );
});

test.each([
  // P(X >= 5), X ~ Binomial(pairs, 0.05): five losses and no gain are the least that is significant
  [8, 0.0000154],
  [36, 0.0323627],
  [128, 0.7720603],
])('%i pairs find a loss of 5 points with probability %d', (pairs, power) => {
  expect(mcnemarPower({ pairs, background: 0, difference: 0.05 })).toBeCloseTo(power, 5);
});

test('the power with noise is that of simulated studies', () => {
  const rng = new Rng('power');
  const studies = 2000;
  const [pairs, background, difference] = [128, 0.03, 0.09];
  let found = 0;
  for (let study = 0; study < studies; study++) {
    let [lost, gained] = [0, 0];
    for (let pair = 0; pair < pairs; pair++) {
      const u = rng.random();
      if (u < background + difference) lost++;
      else if (u < 2 * background + difference) gained++;
    }
    if (lost > gained && mcnemarExact(gained, lost).midP < 0.05) found++;
  }
  // Three standard errors of a share near 0.7 in 2000 studies.
  expect(Math.abs(found / studies - mcnemarPower({ pairs, background, difference }))).toBeLessThan(0.031);
});

test.each([
  [5, 0, 0.9564], // 0.8 ** (1 / 5)
  [8, 0, 0.6968],
  [36, 0, 0.1797],
  [128, 0, 0.052],
  [400, 0, 0.0167],
  [128, 0.05, 0.1117],
  [400, 0.05, 0.0543],
])('%i pairs with %d noise each way show a difference of %d', (pairs, background, expected) => {
  const detectable = detectableDifference({ pairs, background }) ?? Number.NaN;
  expect(detectable).toBeCloseTo(expected, 4);
  expect(mcnemarPower({ pairs, background, difference: detectable })).toBeGreaterThanOrEqual(0.8);
  expect(mcnemarPower({ pairs, background, difference: detectable - 2e-6 })).toBeLessThan(0.8);
});

test('too few pairs, or too much disagreement by chance, can show no difference', () => {
  expect(detectableDifference({ pairs: 4, background: 0 })).toBeNull();
  expect(detectableDifference({ pairs: 8, background: 0.2 })).toBeNull();
  expect(detectableDifference({ pairs: 100, background: 0.5 })).toBeNull();
});

test('a stricter level, as a family of comparisons asks for, shows less', () => {
  const at = (alpha: number): number | null => detectableDifference({ pairs: 36, background: 0, alpha });
  expect(at(0.05 / 6)).toBeGreaterThan(at(0.05) ?? 1);
  expect(detectableDifference({ pairs: 6, background: 0, alpha: 0.05 / 6 })).toBeNull();
});

test('arguments out of range are typed errors', () => {
  const error = expect.objectContaining({ name: 'MoaError', code: 'INVALID_ARGUMENT' });
  expect(() => detectableDifference({ pairs: 0, background: 0.1 })).toThrow(error);
  expect(() => detectableDifference({ pairs: 10, background: 0.6 })).toThrow(error);
});
