import { describe, expect, test } from 'vitest';
import { Rng } from '../../../src/core/rng.ts';
import { holm } from '../../../src/core/statistics/holm.ts';
import { unpairedRatio } from '../../../src/core/statistics/unpaired.ts';

test("is Welch's t on the log times of processes", () => {
  // Means log 2 and log 3, variances 0.01 and 0.04 of three processes each: t = log 1.5 / sqrt(0.05 / 3) with (0.05/3)^2 / ((0.01/3)^2/2 + (0.04/3)^2/2) degrees.
  const around = (centre: number, step: number): number[][] => [-step, 0, step].map((shift) => [centre * Math.exp(shift)]);
  const ratio = unpairedRatio(around(3, 0.1), around(2, 0.2));
  expect(ratio.estimate).toBeCloseTo(1.5, 12);
  // qt(0.975, 2.941176) = 3.21838, sqrt(0.05/3) = 0.1290994; pt(-3.140709, 2.941176) = 0.0265
  expect(Math.log(ratio.high ?? 0) - Math.log(1.5)).toBeCloseTo(Math.log(1.5) - Math.log(ratio.low ?? 1), 12);
  expect((Math.log(ratio.high ?? 0) - Math.log(1.5)) / Math.sqrt(0.05 / 3)).toBeCloseTo(3.2184, 2);
  expect(ratio.p).toBeGreaterThan(0.05);
  expect(ratio.p).toBeLessThan(0.06);
});

test.each([
  ['two processes', [[10], [11]], [[10], [11], [12]]],
  ['times that do not vary', [[10], [10], [10]], [[10], [10], [10]]],
])('%s have no interval and no test', (_, numerator, denominator) => {
  expect(unpairedRatio(numerator, denominator)).toMatchObject({ low: null, high: null, p: null });
});

test('rounds of a process are one observation, and one disturbed round of five is none', () => {
  const base = [
    [10, 10.1, 9.9, 10, 40],
    [11, 11, 11.1, 10.9, 11],
    [10.5, 10.4, 10.6, 10.5, 10.5],
  ];
  const ratio = unpairedRatio(
    base.map((rounds) => rounds.map((ms) => 2 * ms)),
    base,
  );
  expect(ratio.estimate).toBeCloseTo(2, 12);
  expect(ratio.high).toBeLessThan(3);
});

interface Machine {
  /** Standard deviation of log time between processes, and between the rounds of one. */
  readonly processes: number;
  readonly rounds: number;
  /** Share of rounds that a burst of other work makes half as long again. */
  readonly bursts?: number;
}

/** Times of one contender: [process][round]. */
function timed(
  rng: Rng,
  [processes, rounds]: readonly [number, number],
  { processes: between, rounds: within, bursts = 0 }: Machine,
): number[][] {
  return Array.from({ length: processes }, () => {
    const own = between * rng.normal();
    return Array.from({ length: rounds }, () => Math.exp(own + within * rng.normal()) * (rng.random() < bursts ? 1.5 : 1));
  });
}

const QUIET: Machine = { processes: 0.01, rounds: 0.01 };
/** Processes and rounds of suites/quick.yaml, suites/reference.yaml and the suites of GPUs, and more processes. */
const SIZES = [
  [3, 2],
  [3, 4],
  [5, 6],
  [10, 3],
] as const;

const STUDIES = 1000;
/** Two standard errors of the simulated share itself. */
const ERROR = 2 * Math.sqrt((0.05 * 0.95) / STUDIES);

function shareHeld(rng: Rng, size: (typeof SIZES)[number], [base, head]: readonly [Machine, Machine]): number {
  let held = 0;
  for (let study = 0; study < STUDIES; study++) {
    const { low, high } = unpairedRatio(timed(rng, size, head), timed(rng, size, base));
    if ((low ?? 0) <= 1 && (high ?? 2) >= 1) held++;
  }
  return held / STUDIES;
}

describe('the interval of a ratio of two runs of the same code holds 1 in 93% to 97% of studies', () => {
  const machines: readonly (readonly [string, Machine, Machine])[] = [
    ['machines that are alike', QUIET, QUIET],
    ['a run of three times the noise', QUIET, { processes: 0.03, rounds: 0.02 }],
  ];
  test.each(machines.flatMap(([name, base, head]) => SIZES.map((size) => [name, size, base, head] as const)))(
    '%s, %j',
    (name, size, base, head) => {
      const held = shareHeld(new Rng(`unpaired/${name}/${size}`), size, [base, head]);
      expect(held).toBeGreaterThanOrEqual(0.93 - ERROR);
      expect(held).toBeLessThanOrEqual(0.97 + ERROR);
    },
  );
});

// A process with a burst widens the interval by more than it moves the mean: no t interval of so few processes holds less.
test.each(SIZES.map((size) => ({ size })))('with bursts of other work it holds 1 in 93% of studies or more, $size', ({ size }) => {
  const bursts = { ...QUIET, bursts: 0.1 };
  expect(shareHeld(new Rng(`unpaired/bursts/${size}`), size, [bursts, bursts])).toBeGreaterThanOrEqual(0.93 - ERROR);
});

test.each(SIZES.map((size) => ({ size })))(
  'families of twelve equal contenders call a difference in at most 5% of studies, $size',
  ({ size }) => {
    const rng = new Rng(`unpaired family/${size}`);
    const studies = 300;
    let called = 0;
    for (let study = 0; study < studies; study++) {
      const ps = Array.from({ length: 12 }, () => unpairedRatio(timed(rng, size, QUIET), timed(rng, size, QUIET)).p ?? 1);
      if (Math.min(...holm(ps)) < 0.05) called++;
    }
    expect(called / studies).toBeLessThanOrEqual(0.05 + 2 * Math.sqrt((0.05 * 0.95) / studies));
  },
);
