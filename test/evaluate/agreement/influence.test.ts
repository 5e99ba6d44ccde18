import { expect, test } from 'vitest';
import { compareProfiles } from '../../../src/evaluate/agreement/influence.ts';
import type { InfluenceSums } from '../../../src/model/profile/influence.ts';

/** One layer of one head: the same sums for every criterion. */
const profile = (loss: number, bins: readonly number[]): InfluenceSums => {
  const sums = Float64Array.from(bins);
  return { loss, bins: bins.length, elementwise: sums, elementwiseSink: sums, joint: sums };
};

test('distances are relative to the reference, by sample and of the sums of a length', () => {
  const pairs = [
    { task: 'a', length: 64, wanted: profile(1, [3, 1]), received: profile(1.1, [3, 2]) },
    { task: 'b', length: 64, wanted: profile(1, [0, 0, 4]), received: profile(1, [0, 0, 4]) },
    { task: 'a', length: 128, wanted: profile(2, [10]), received: profile(2, [10]) },
  ];
  const { samples, lengths } = compareProfiles(pairs, 1);
  expect(samples.map(({ task, length, loss, joint }) => [task, length, loss, joint])).toEqual([
    ['a', 64, [1, 1.1], 0.25],
    ['b', 64, [1, 1], 0],
    ['a', 128, [2, 2], 0],
  ]);
  // 1 of 8 in bin 1; sequences of 2 and 3 bins are added bin by bin.
  expect(lengths).toEqual([
    { length: 64, samples: 2, loss: expect.closeTo(0.05, 12), elementwise: 0.125, elementwiseSink: 0.125, joint: 0.125 },
    { length: 128, samples: 1, loss: 0, elementwise: 0, elementwiseSink: 0, joint: 0 },
  ]);
});

test('bins of another row are not added to it', () => {
  const wanted = { ...profile(1, [1, 2, 3, 4]), bins: 2 };
  const longer = { ...profile(1, [1, 2, 5, 3, 4, 6]), bins: 3 };
  const received = { ...profile(1, [1, 2, 0, 3, 4, 0]), bins: 3 };
  const { lengths } = compareProfiles(
    [
      { task: 'a', length: 64, wanted, received: wanted },
      { task: 'b', length: 64, wanted: longer, received },
    ],
    2,
  );
  expect(lengths[0]?.joint).toBeCloseTo(11 / 31, 12); // 5 + 6 of the longer one's 21, and the other's 10
});
