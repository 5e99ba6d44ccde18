import { holm } from '../../core/statistics/holm.ts';
import { typicalTime } from '../../core/statistics/timing.ts';
import { LEAST_PROCESSES, unpairedRatio } from '../../core/statistics/unpaired.ts';
import { percent } from '../phrases.ts';
import { MEASURES } from '../speed/estimates.ts';
import { conditionOf, type TimedArm, timingsOf } from '../speed/timed-arms.ts';
import type { Comparison, TimingRow } from './comparison.ts';
import { machineProblem, wasBusy } from './machine-class.ts';
import type { Rules, Verdict } from './rules.ts';
import type { MethodPair, Sides } from './sides.ts';

/** A row of times, and the reason why it cannot be judged; null when it can. */
interface Timed {
  readonly row: TimingRow;
  readonly problem: { readonly verdict: 'undecided' | 'not-comparable'; readonly reason: string } | null;
}

export interface TimingRows {
  readonly timings: readonly Timed[];
  readonly families: Comparison['families'];
}

/** Times of both runs under the same conditions. p-values are adjusted (Holm) within each measure, over the rows that can be judged. */
export function compareTimings(methods: readonly MethodPair[], sides: Sides): TimingRows {
  const busy = (['base', 'head'] as const).filter((name) => wasBusy(sides[name]));
  const timed = sides.head.arms.flatMap((head) => {
    const method = methods.find((pair) => pair.head === head.method);
    const base = sides.base.arms.find(
      (arm) => arm.method === method?.base && arm.cache === head.cache && conditionOf(arm) === conditionOf(head),
    );
    return base === undefined ? [] : [{ row: rowOf(base, head), problem: problemOf({ base, head }, sides, busy) }];
  });
  const families = MEASURES.flatMap((measure) => {
    const comparisons = timed.filter((t) => isTested(t) && t.row.measure === measure).length;
    return comparisons === 0 ? [] : [{ name: `time of ${measure}`, comparisons }];
  });
  return { timings: MEASURES.flatMap((measure) => adjusted(timed.filter(({ row }) => row.measure === measure))), families };
}

function rowOf(base: TimedArm, head: TimedArm): TimingRow {
  const { measure, length, batch, cache, method } = head;
  const { p, ...ratio } = unpairedRatio(timingsOf(head), timingsOf(base));
  const condition = { measure, length, batch, cache, method };
  return {
    ...condition,
    verdict: 'undecided',
    reason: '',
    base: timeOf(base),
    head: timeOf(head),
    ratio,
    p,
    pHolm: null,
    comparisons: 0,
    equivalent: null,
  };
}

function timeOf(arm: TimedArm): TimingRow['base'] {
  const { estimate, processes, rounds } = typicalTime(timingsOf(arm));
  return { ms: estimate, processes, rounds };
}

function problemOf({ base, head }: { base: TimedArm; head: TimedArm }, sides: Sides, busy: readonly string[]): Timed['problem'] {
  const machine = machineProblem({ side: sides.base, arm: base }, { side: sides.head, arm: head });
  if (machine !== null) return { verdict: 'not-comparable', reason: machine };
  if (base.tokens !== head.tokens) return { verdict: 'not-comparable', reason: 'another number of decode steps in a pass' };
  if (busy.length > 0)
    return { verdict: 'undecided', reason: `other programs ran while ${busy.map((name) => name.toUpperCase()).join(' and ')} was timed` };
  if (Math.min(base.measurements.length, head.measurements.length) < LEAST_PROCESSES)
    return { verdict: 'undecided', reason: `fewer than ${LEAST_PROCESSES} processes timed it` };
  return null;
}

function isTested({ row, problem }: Timed): boolean {
  return problem === null && row.p !== null;
}

function adjusted(timed: readonly Timed[]): Timed[] {
  const tested = timed.filter(isTested);
  const pHolm = holm(tested.map(({ row }) => row.p ?? 1));
  return timed.map((one) => {
    const at = tested.indexOf(one);
    return at < 0 ? one : { ...one, row: { ...one.row, pHolm: pHolm[at] ?? null, comparisons: tested.length } };
  });
}

/**
 * The row with its verdict. HEAD is `worse` when the difference is established and the estimate reaches the threshold. A smaller change counts for nothing,
 * because equal code on one machine differs a little from day to day. HEAD is `same` when the interval rules out that it is slower by the threshold.
 * `equivalent` says whether the interval also rules out that HEAD is faster by the threshold (two one-sided tests).
 */
export function judgeTiming({ row, problem }: Timed, { slower }: Rules, level: number): TimingRow {
  if (problem !== null) return { ...row, ...problem };
  const { estimate, low, high } = row.ratio;
  const bound = 1 + slower;
  const equivalent = low === null || high === null ? null : low >= 1 / bound && high <= bound;
  const judged = (verdict: Verdict, reason: string): TimingRow => ({ ...row, equivalent, verdict, reason });
  if (low === null || high === null) return judged('undecided', 'its times do not vary, so that nothing is known of them');
  const isEstablished = row.pHolm !== null && row.pHolm < level;
  if (isEstablished && estimate >= bound) return judged('worse', 'slower beyond the threshold');
  if (equivalent) return judged('same', 'within the threshold both ways');
  if (isEstablished && estimate < 1) return judged('better', 'faster');
  if (high <= bound) return judged('same', 'not slower by the threshold');
  return judged(
    'undecided',
    isEstablished ? 'slower, and whether by the threshold is open' : `up to ${percent(high - 1, 1)} slower is not ruled out`,
  );
}
