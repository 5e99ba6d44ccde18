import { expect, it } from 'vitest';
import { pairedBinary } from '../../src/evaluate/paired.ts';
import { directionOf, toPaired } from '../../src/summary/paired.ts';

const pairs = Array.from({ length: 10 }, (_, i) => ({ own: i < 8 ? 0 : 1, other: 1, cluster: `${i}` }));

it('has no direction before it is adjusted for its family, and nothing for nothing', () => {
  const paired = toPaired('dense', pairedBinary([pairs]));
  expect(paired).toMatchObject({ other: 'dense', lost: 8, gained: 0, pHolm: null, comparisons: 0 });
  if (paired === null) throw new Error('no pairs');
  expect(directionOf(paired)).toBeNull();
  expect(directionOf({ ...paired, pHolm: 0.04 })).toBe('down');
  expect(directionOf({ ...paired, pHolm: 0.04, delta: { ...paired.delta, estimate: 0.2 } })).toBe('up');
  // The unadjusted interval leaves out 0: that alone says nothing in a family.
  expect(paired.delta.high).toBeLessThan(0);
  expect(directionOf({ ...paired, pHolm: 0.06 })).toBeNull();
  expect(toPaired('dense', null)).toBeNull();
});
