import { expect, test } from 'vitest';
import { RunClock } from '../../src/run/run-clock.ts';

/** A clock that the test moves, over two conditions of two methods, a plan and timings in two processes. */
function clockOf(seconds: { readonly [id: string]: number }) {
  let now = 0;
  const ended = new Set<string>();
  const clock = new RunClock(new Map(Object.entries(seconds)), () => now);
  return {
    at: (second: number, ids: readonly string[], share: number | null): number => {
      now = 1000 * second;
      return clock.secondsLeft({ ids, share }, (id) => ended.has(id));
    },
    end: (...ids: readonly string[]) => {
      for (const id of ids) ended.add(id);
    },
  };
}

const SHORT = ['retrieval/a/1/x', 'retrieval/a/1/y'];
const LONG = ['retrieval/a/2/x', 'retrieval/a/2/y'];
const ESTIMATES = { 'retrieval/a/1/x': 10, 'retrieval/a/1/y': 10, 'retrieval/a/2/x': 20, 'retrieval/a/2/y': 20, 'decode/2x1/x': 40 };

test('begins with the estimates', () => {
  expect(clockOf(ESTIMATES).at(0, SHORT, 0)).toBe(100);
});

test('goes by the pace of the cells in flight, once that tells something', () => {
  const { at } = clockOf(ESTIMATES);
  at(0, SHORT, 0);
  expect(at(1, SHORT, 0.02)).toBeCloseTo(0.98 * 20 + 80);
  expect(at(20, SHORT, 0.25)).toBeCloseTo(60 + 80);
});

test('corrects what is to come by what cells of its kind took, else by all that ran', () => {
  const { at, end } = clockOf(ESTIMATES);
  at(0, SHORT, 0);
  at(39, SHORT, 0.975);
  end(...SHORT); // 40 s instead of 20
  expect(at(40, LONG, 0)).toBeCloseTo(2 * 40 + 2 * 40);
  end(...LONG); // 20 s instead of 40: 60 s instead of 60 in all
  expect(at(60, ['decode/2x1/x'], 0)).toBeCloseTo(40);
});

test('comes back to timings in every process, and knows what of them is done', () => {
  const { at, end } = clockOf({ 'decode/1x1/x': 10, 'decode/2x1/x': 30 });
  at(0, ['decode/1x1/x'], 0);
  at(5, ['decode/1x1/x'], 0.5);
  at(5, ['decode/2x1/x'], 0);
  expect(at(20, ['decode/2x1/x'], 0.5)).toBeCloseTo(15 + 5);
  expect(at(20, ['decode/1x1/x'], 0.5)).toBeCloseTo(5 + 15);
  expect(at(23, ['decode/1x1/x'], 0.8)).toBeCloseTo(2 + 15);
  end('decode/1x1/x');
  expect(at(25, ['decode/2x1/x'], 0.5)).toBeCloseTo(15);
});

test('a plan, whose share is not known, counts down; beyond its estimate it corrects what is to come', () => {
  const { at, end } = clockOf({ 'plan/moa': 30, 'plan/dense': 0, 'retrieval/a/1/x': 10 });
  at(0, ['plan/moa'], null);
  expect(at(20, ['plan/moa'], null)).toBe(10 + 10);
  const beyond = at(60, ['plan/moa'], null); // 60 s instead of 30 so far
  expect(beyond).toBeCloseTo(0.2 * 60 + 2 * 10);
  end('plan/moa', 'plan/dense');
  expect(at(60, ['retrieval/a/1/x'], 0)).toBe(20);
});

test('cells that failed or were skipped take no more time', () => {
  const { at, end } = clockOf(ESTIMATES);
  at(0, SHORT, 0);
  end(...LONG);
  expect(at(0, SHORT, 0)).toBe(60);
});
