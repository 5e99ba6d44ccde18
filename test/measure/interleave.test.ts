import { expect, test } from 'vitest';
import { interleave } from '../../src/measure/interleave.ts';

function recorder() {
  const calls: string[] = [];
  const arm = (id: string, ms: number) => ({
    id,
    run: async () => {
      calls.push(id);
      return ms + calls.length / 1000;
    },
  });
  return { calls, arm };
}

test('every round runs every arm exactly once, warm-up included, and keeps one sample per timed round', async () => {
  const { calls, arm } = recorder();
  const samples = await interleave([arm('a', 1), arm('b', 2), arm('c', 3)], { rounds: 4, warmupRounds: 2, seed: 's', stage: 'test' });
  expect(calls).toHaveLength(18);
  for (let round = 0; round < 6; round++) expect(calls.slice(round * 3, round * 3 + 3).toSorted()).toEqual(['a', 'b', 'c']);
  expect([...samples.keys()]).toEqual(['a', 'b', 'c']);
  for (const [id, base] of [
    ['a', 1],
    ['b', 2],
    ['c', 3],
  ] as const) {
    expect(samples.get(id)).toHaveLength(4);
    for (const ms of samples.get(id) ?? []) expect(Math.floor(ms)).toBe(base);
  }
});

test('the order changes between rounds and repeats with the seed', async () => {
  const orders = [];
  for (let repeat = 0; repeat < 2; repeat++) {
    const { calls, arm } = recorder();
    await interleave([arm('a', 1), arm('b', 1)], { rounds: 16, warmupRounds: 0, seed: 'same', stage: 'test' });
    orders.push(calls.join(''));
  }
  expect(orders[0]).toBe(orders[1]);
  expect(orders[0]).toMatch(/ab/);
  expect(orders[0]).toMatch(/ba(ab|ba)*/);
});

test('a failing arm rejects with its own error', async () => {
  const failing = { id: 'x', run: () => Promise.reject(new RangeError('out of slots')) };
  await expect(interleave([failing], { rounds: 1, warmupRounds: 0, seed: 's', stage: 'test' })).rejects.toThrow('out of slots');
});
