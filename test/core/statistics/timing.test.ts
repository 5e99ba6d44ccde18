import { expect, test } from 'vitest';
import { Rng } from '../../../src/core/rng.ts';
import { holm } from '../../../src/core/statistics/holm.ts';
import { isEquivalent, pairedRatio, type Timings, timingRatio, typicalTime } from '../../../src/core/statistics/timing.ts';

interface Machine {
  readonly processes: number;
  readonly rounds: number;
  /** Deviations of log time: between processes (each contender its own), and of single timings. */
  readonly between: number;
  readonly within: number;
  /** Share of timings that another program lengthens, by a factor of up to three. */
  readonly bursts?: number;
  /** Deviation of the step from round to round of the whole machine's speed: a random walk that all contenders share. */
  readonly walk?: number;
}

/** Timings of contenders with the given true times on such a machine. */
function measured(rng: Rng, machine: Machine, times: readonly number[]): Timings[] {
  const { processes, rounds, between, within, bursts = 0, walk = 0 } = machine;
  const timings = times.map(() => Array.from({ length: processes }, () => new Array<number>(rounds)));
  for (let p = 0; p < processes; p++) {
    const own = times.map(() => between * rng.normal());
    let shared = 0;
    for (let r = 0; r < rounds; r++) {
      shared += walk * rng.normal();
      times.forEach((time, arm) => {
        const burst = rng.random() < bursts ? 3 ** rng.random() : 1;
        ((timings[arm] as number[][])[p] as number[])[r] = time * burst * Math.exp((own[arm] as number) + shared + within * rng.normal());
      });
    }
  }
  return timings;
}

/** The standard error of a coverage of 95% is then 0.5%. */
const TRIALS = 2000;

function coverage(machine: Machine, seed: string): number {
  const rng = new Rng(seed);
  let covered = 0;
  for (let trial = 0; trial < TRIALS; trial++) {
    const [slow, fast] = measured(rng, machine, [12, 10]) as [Timings, Timings];
    const { low, high } = timingRatio(slow, fast);
    if (low !== null && high !== null && low <= 1.2 && high >= 1.2) covered++;
  }
  return covered / TRIALS;
}

// The sizes of the suites: processes x rounds.
test.each<[string, Machine]>([
  ['3 x 3', { processes: 3, rounds: 3, between: 0.01, within: 0.02 }],
  ['3 x 5', { processes: 3, rounds: 5, between: 0.01, within: 0.02 }],
  ['3 x 6', { processes: 3, rounds: 6, between: 0.02, within: 0.01 }],
  ['3 x 10', { processes: 3, rounds: 10, between: 0.005, within: 0.03 }],
  ['5 x 6', { processes: 5, rounds: 6, between: 0.01, within: 0.02 }],
  ['3 x 6 with bursts', { processes: 3, rounds: 6, between: 0.01, within: 0.02, bursts: 0.1 }],
  ['5 x 6 on a drifting machine', { processes: 5, rounds: 6, between: 0.01, within: 0.01, walk: 0.03 }],
  ['one process of 6', { processes: 1, rounds: 6, between: 0, within: 0.02 }],
  ['one process of 10 with bursts', { processes: 1, rounds: 10, between: 0, within: 0.02, bursts: 0.1 }],
  ['one process of 15 on a drifting machine', { processes: 1, rounds: 15, between: 0, within: 0.01, walk: 0.03 }],
])('a nominal 95%% interval covers 93% to 97%: $0', (name, machine) => {
  const covered = coverage(machine, name);
  expect(covered).toBeGreaterThan(0.93);
  expect(covered).toBeLessThan(0.975); // 6 rounds: 62 of 64 sign patterns are 96.9%
});

test.each<[string, Machine]>([
  ['3 x 6', { processes: 3, rounds: 6, between: 0.01, within: 0.02 }],
  ['5 x 6 with bursts', { processes: 5, rounds: 6, between: 0.01, within: 0.02, bursts: 0.1 }],
  ['one process of 12', { processes: 1, rounds: 12, between: 0, within: 0.02 }],
])('seven equal methods, compared with one and with each other, differ in at most 5% of families: $0', (name, machine) => {
  const rng = new Rng(name);
  const families = 600;
  let called = 0;
  for (let family = 0; family < families; family++) {
    const arms = measured(rng, machine, [10, 10, 10, 10, 10, 10, 10]);
    const pairs = [
      ...[1, 2, 3, 4, 5, 6].map((other) => [0, other] as const),
      ...[
        [1, 2],
        [3, 4],
        [3, 5],
        [3, 6],
        [4, 5],
        [5, 6],
      ].map(([a, b]) => [a as number, b as number] as const),
    ];
    const p = pairs.map(([a, b]) => timingRatio(arms[a] as Timings, arms[b] as Timings).p ?? 1);
    if (Math.min(...holm(p)) < 0.05) called++;
  }
  expect(called / families).toBeLessThanOrEqual(0.05);
});

test('a real difference is seen: 20% at 3 x 6 in nearly all, 5% at 5 x 6 in most', () => {
  const power = (machine: Machine, ratio: number): number => {
    const rng = new Rng('power');
    let seen = 0;
    for (let trial = 0; trial < 400; trial++) {
      const [slow, fast] = measured(rng, machine, [10 * ratio, 10]) as [Timings, Timings];
      if ((timingRatio(slow, fast).p ?? 1) < 0.05) seen++;
    }
    return seen / 400;
  };
  expect(power({ processes: 3, rounds: 6, between: 0.01, within: 0.02 }, 1.2)).toBeGreaterThan(0.97);
  expect(power({ processes: 5, rounds: 6, between: 0.01, within: 0.02 }, 1.05)).toBeGreaterThan(0.8);
});

test('processes with offsets of their own are not taken for rounds: pooling them as pairs would cover far less', () => {
  const machine = { processes: 3, rounds: 10, between: 0.03, within: 0.01 };
  const rng = new Rng('pooled');
  let pooled = 0;
  for (let trial = 0; trial < 400; trial++) {
    const [slow, fast] = measured(rng, machine, [12, 10]) as [Timings, Timings];
    const { low, high } = pairedRatio(slow.flat(), fast.flat());
    if ((low ?? 0) <= 1.2 && (high ?? 0) >= 1.2) pooled++;
  }
  expect(pooled / 400).toBeLessThan(0.8);
  expect(coverage(machine, 'clustered')).toBeGreaterThan(0.93);
});

test('one timing, or five, have a ratio but no interval and no p', () => {
  expect(pairedRatio([1.23], [1])).toEqual({ estimate: expect.closeTo(1.23, 12), low: null, high: null, p: null, processes: 1, rounds: 1 });
  expect(pairedRatio([2, 2.1, 2, 2.2, 2], [1, 1, 1, 1, 1])).toMatchObject({ low: null, high: null, p: null, rounds: 5 });
});

test('six paired rounds have the range of their ratios', () => {
  const b = [1, 2, 4, 8, 16, 32];
  const ratios = [1.1, 1.2, 1.15, 1.3, 1.25, 1.18];
  const { low, high, p } = pairedRatio(
    b.map((value, i) => value * (ratios[i] as number)),
    b,
  );
  expect([low, high, p]).toEqual([expect.closeTo(1.1, 12), expect.closeTo(1.3, 12), 2 / 64]);
});

test('ratios are those of typical times: they multiply, invert and rank as these do', () => {
  const rng = new Rng('one estimator');
  const [a, b, c] = measured(rng, { processes: 3, rounds: 5, between: 0.02, within: 0.05 }, [10, 10.1, 10.2]) as [
    Timings,
    Timings,
    Timings,
  ];
  const ratio = (x: Timings, y: Timings): number => timingRatio(x, y).estimate;
  expect(ratio(a, c)).toBeCloseTo(ratio(a, b) * ratio(b, c), 12);
  expect(ratio(a, b)).toBeCloseTo(typicalTime(a).estimate / typicalTime(b).estimate, 12);
  const [forth, back] = [timingRatio(a, b), timingRatio(b, a)];
  expect(back.low).toBeCloseTo(1 / (forth.high ?? 0), 12);
  expect(back.p).toBeCloseTo(forth.p ?? 0, 12);
});

test('processes without any variance have no interval', () => {
  expect(timingRatio([[2], [2], [2]], [[1], [1], [1]])).toMatchObject({ estimate: 2, low: null, high: null, p: null });
});

test('equivalence must be shown: an interval that merely holds 1 is not enough', () => {
  const noisy = [[1, 3, 1, 4, 1, 5]];
  const base = [[2, 1, 3, 1, 4, 2]];
  expect(timingRatio(noisy, base).low).toBeLessThan(1);
  expect(isEquivalent(noisy, base, 1.05)).toBe(false);
  expect(isEquivalent([[1, 1.01, 0.99, 1, 1.005, 0.995]], [[1, 1, 1, 1, 1, 1]], 1.05)).toBe(true);
  expect(isEquivalent([[1, 1]], [[1, 1]], 1.05)).toBeNull();
});

test.each<[Timings, Timings]>([
  [[], []],
  [[[]], [[]]],
  [[[1]], [[1, 2]]],
  [[[1]], [[1], [1]]],
  [[[0]], [[1]]],
  [[[1]], [[-1]]],
  [[[1]], [[Number.NaN]]],
  [[[Number.POSITIVE_INFINITY]], [[1]]],
])('%j / %j is a typed error', (a, b) => {
  expect(() => timingRatio(a, b)).toThrow(expect.objectContaining({ name: 'MoaError', code: 'INVALID_ARGUMENT' }));
});
