import { groupBy } from '../../core/group-by.ts';
import { mean } from '../../core/statistics/descriptive.ts';
import { holm } from '../../core/statistics/holm.ts';
import { isEquivalent, LEAST_ROUNDS, type TimingRatio, timingRatio } from '../../core/statistics/timing.ts';
import { type Trend, trendTest } from '../../core/statistics/trend.ts';
import { numbered, percent } from '../phrases.ts';
import { commonTimings, conditionOf, type TimedArm, timedArms } from '../speed/timed-arms.ts';
import { timedText } from '../speed/verdicts.ts';
import type { Check } from '../summary.ts';
import { type CheckInput, check } from './check.ts';

/**
 * The times of equal programs must be shown to lie within this factor of each other. On a quiet machine (1% between processes) three processes nearly always
 * show it, also under many conditions. On a machine that differs by 5% from process to process they do not.
 */
const EQUIVALENCE = 1.1;
/** Equal programs may differ by this share. A smaller difference, however certain, is no reason to doubt the ratios that these suites are run for. */
const HARMLESS_BIAS = 0.02;
/** Drift that adds up to less than this share is too small to matter for the rates, and all methods have it alike. */
const HARMLESS_DRIFT = 0.02;
const ALPHA = 0.05;

/**
 * Checks the clock with the baseline, which was timed twice in the same schedule. It passes when the two are shown to be equal under every condition (two
 * one-sided tests each), and no condition shows a difference (Holm-adjusted) of more than `HARMLESS_BIAS`.
 */
export function timingControl({ selection, summary }: CheckInput): Check {
  const arms = timedArms(selection.measurements);
  const compared = arms
    .filter((arm) => arm.control)
    .flatMap((control) => {
      const twin = arms.find((arm) => isTwin(arm, control));
      return twin === undefined ? [] : [compare(control, twin)];
    });
  const tested = compared.filter((c) => c.isEquivalent !== null);
  const worst = tested.toSorted((a, b) => widest(b.ratio) - widest(a.ratio))[0];
  if (worst === undefined) {
    return check('timing-control', 'note', 'untested', `The baseline was not timed twice side by side in ${LEAST_ROUNDS} rounds or more.`);
  }
  const adjusted = holm(tested.map(({ ratio }) => ratio.p ?? 1));
  const isBiased = (ratio: TimingRatio, i: number): boolean =>
    (adjusted[i] as number) < ALPHA && Math.abs(ratio.estimate - 1) > HARMLESS_BIAS;
  const apart = tested.filter((c, i) => c.isEquivalent === false || isBiased(c.ratio, i)).length;
  const outcome =
    apart === 0
      ? `, within ${percent(EQUIVALENCE - 1)} in each of ${numbered(tested.length, 'condition')}`
      : `; in ${apart} of ${numbered(tested.length, 'condition')} equal programs are not shown to be equal within ${percent(EQUIVALENCE - 1)}, so small differences of methods mean nothing here`;
  return check(
    'timing-control',
    'warning',
    apart === 0 ? 'passed' : 'failed',
    `${summary.baseline} timed against itself: ${timedText(worst.ratio)} at worst${outcome}.`,
  );
}

/** Checks that the machine's speed had no trend over the rounds of a process. */
export function timingDrift({ selection }: CheckInput): Check {
  const conditions = groupBy(timedArms(selection.measurements), conditionOf);
  const trends = [...conditions.values()].flatMap((arms) => trendOf(arms) ?? []);
  if (trends.length === 0 || Math.min(...trends.map(({ leastP }) => leastP)) * trends.length > ALPHA) {
    return check('timing-drift', 'note', 'untested', 'Too few rounds to tell drift of the machine from chance.');
  }
  const adjusted = holm(trends.map(({ p }) => p));
  const drifting = trends.filter((trend, i) => (adjusted[i] as number) < ALPHA && Math.abs(trend.change) > HARMLESS_DRIFT);
  const [worst] = drifting.toSorted((a, b) => Math.abs(b.change) - Math.abs(a.change));
  if (worst === undefined) {
    return check('timing-drift', 'warning', 'passed', `No drift over the rounds in any of ${numbered(trends.length, 'condition')}.`);
  }
  const direction = worst.change > 0 ? 'slower' : 'faster';
  return check(
    'timing-drift',
    'warning',
    'failed',
    `The machine got ${direction} by ${percent(Math.abs(worst.change))} over the rounds at worst, in ${drifting.length} of ${numbered(trends.length, 'condition')}: ratios of methods hold, for all drift alike, but absolute speeds are those of a machine that changed.`,
  );
}

interface Comparison {
  readonly ratio: TimingRatio;
  /** null: too few rounds. */
  readonly isEquivalent: boolean | null;
}

function compare(control: TimedArm, twin: TimedArm): Comparison {
  const [again, first] = commonTimings(control, twin);
  if (again.length === 0) return { ratio: { estimate: 1, low: null, high: null, p: null, processes: 0, rounds: 0 }, isEquivalent: null };
  const ratio = timingRatio(again, first);
  return { ratio, isEquivalent: ratio.rounds < LEAST_ROUNDS ? null : isEquivalent(again, first, EQUIVALENCE) };
}

function isTwin(arm: TimedArm, control: TimedArm): boolean {
  return !arm.control && arm.method === control.method && arm.cache === control.cache && conditionOf(arm) === conditionOf(control);
}

function widest({ low, high }: TimingRatio): number {
  return Math.max(Math.abs(Math.log(low ?? 1)), Math.abs(Math.log(high ?? 1)));
}

/**
 * The trend over the rounds of the mean log time of all contenders; null when no process has two rounds. `change`: how much slower the last round of the
 * longest process is than its first, as a share.
 */
function trendOf(arms: readonly TimedArm[]): (Trend & { readonly change: number }) | null {
  const processes = [...new Set(arms.flatMap((arm) => arm.measurements.map((m) => m.process)))];
  const series = processes.map((process) => {
    const timings = arms.flatMap((arm) => arm.measurements.filter((m) => m.process === process).map((m) => m.samplesMs));
    const rounds = Math.min(...timings.map((samples) => samples.length));
    return Array.from({ length: rounds }, (_, round) => mean(timings.map((samples) => Math.log(samples[round] as number))));
  });
  const longest = Math.max(0, ...series.map((values) => values.length));
  if (longest < 2) return null;
  const trend = trendTest(series);
  return { ...trend, change: Math.expm1(trend.slope * (longest - 1)) };
}
