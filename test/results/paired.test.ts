import { expect, it } from 'vitest';
import { pairedBinary } from '../../src/evaluate/paired.ts';
import { adjustFamily, toPaired } from '../../src/results/paired.ts';

/** 10 samples of which the other method alone has `lost` right. */
const paired = (lost: number) =>
  toPaired('dense', pairedBinary(Array.from({ length: 10 }, (_, i) => ({ own: i < lost ? 0 : 1, other: 1, cluster: `${i}` }))));

it('adjusts by Holm and leaves gaps where nothing was compared', () => {
  const [first, gap, second] = adjustFamily([paired(6), null, paired(8)]);
  expect(gap).toBeNull();
  expect(second).toMatchObject({ other: 'dense', lost: 8, gained: 0 });
  expect(second?.p).toBeCloseTo(2 / 256, 12);
  expect(second?.pHolm).toBeCloseTo(2 * (2 / 256), 12);
  expect(first?.pHolm).toBeCloseTo(2 / 64, 12);
});

it('is a family of its own until it is adjusted, and nothing for nothing', () => {
  expect(paired(6)?.pHolm).toBe(paired(6)?.p);
  expect(toPaired('dense', null)).toBeNull();
});
