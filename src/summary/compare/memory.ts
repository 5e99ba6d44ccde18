import { groupBy } from '../../core/group-by.ts';
import { EQUAL_BUDGET } from '../contrasts.ts';
import { conditionOf, type TimedArm } from '../speed/timed-arms.ts';
import type { MemoryRow } from './comparison.ts';
import type { PairedCell } from './paired-samples.ts';
import { PEAK_TOLERANCE, type Verdict } from './rules.ts';
import type { MethodPair, Side, Sides } from './sides.ts';

type Measured = Omit<MemoryRow, 'verdict' | 'reason'>;

/** Rows that compare resident KV bytes, memory peaks, largest batches, and what fits into memory at all, under the conditions that both runs have. */
export function compareMemory(methods: readonly MethodPair[], sides: Sides, cells: readonly PairedCell[]): MemoryRow[] {
  return methods.flatMap((method) => {
    const tolerance = isSamePlan(method, sides) ? 0 : EQUAL_BUDGET;
    return [
      ...scoredBytes(cells.filter((cell) => cell.method === method)).map((row) => judged({ ...row, tolerance })),
      ...timedBytes(method, sides).map((row) => judged(row.what === 'kv' ? { ...row, tolerance } : row, deviceProblem(sides))),
      ...batches(method, sides).map((row) => judged(row, deviceProblem(sides))),
      ...fits(method, sides).map((row) => judged(row, deviceProblem(sides))),
    ];
  });
}

/** Whether both runs used the same plan. The same plan must take the same bytes. Another plan of the same budget may take up to 2% more or less. */
function isSamePlan({ base, head }: MethodPair, sides: Sides): boolean {
  const hash = (side: Side, id: string): string | null => side.selection.plans.find((plan) => plan.method === id)?.planHash ?? null;
  return hash(sides.base, base) === hash(sides.head, head);
}

/** Why memory other than KV bytes cannot be judged: each backend has workspaces of its own. KV bytes follow from the plan on every backend. */
function deviceProblem({ base, head }: Sides): string | null {
  return base.run.backend.name === head.run.backend.name ? null : 'another backend';
}

function judged(row: Measured, problem: string | null = null): MemoryRow {
  if (problem !== null && row.what !== 'kv') return { ...row, verdict: 'not-comparable', reason: problem };
  const isCount = row.what === 'maxBatch' || row.what === 'fits';
  // How much worse HEAD is than BASE, as a share of BASE.
  const loss = isCount ? 1 - row.head / row.base : row.head / row.base - 1;
  const verdict: Verdict = row.head === row.base || Math.abs(loss) <= row.tolerance ? 'same' : loss > 0 ? 'worse' : 'better';
  return {
    ...row,
    verdict,
    reason: row.what === 'fits' ? (verdict === 'worse' ? 'does not fit into memory any more' : 'fits into memory now') : '',
  };
}

/** Mean KV bytes of the samples that both runs scored, by length. */
function scoredBytes(cells: readonly PairedCell[]): Measured[] {
  return [...groupBy(cells, ({ length }) => length)].flatMap(([length, own]) => {
    const pairs = own.flatMap((cell) => cell.pairs);
    const [first] = own;
    if (first === undefined || pairs.length === 0) return [];
    const mean = (side: 'base' | 'head'): number => pairs.reduce((sum, pair) => sum + pair[side].kvBytes.resident, 0) / pairs.length;
    const of = { method: first.method.head, measure: null, length, batch: null, cache: null };
    return [{ ...of, what: 'kv', base: mean('base'), head: mean('head'), tolerance: 0 } as const];
  });
}

function timedBytes(method: MethodPair, sides: Sides): Measured[] {
  return armPairs(method, sides).flatMap(({ base, head }) => {
    const of = conditionFields(head);
    const [peak, other] = [peakOf(head), peakOf(base)];
    const kv = { ...of, what: 'kv', base: kvOf(base), head: kvOf(head), tolerance: 0 } as const;
    return peak === null || other === null
      ? [kv]
      : [kv, { ...of, what: 'peak', base: other, head: peak, tolerance: PEAK_TOLERANCE } as const];
  });
}

function armPairs(method: MethodPair, { base, head }: Sides): { readonly base: TimedArm; readonly head: TimedArm }[] {
  const others = base.arms.filter((arm) => arm.method === method.base);
  return head.arms.flatMap((own) => {
    if (own.method !== method.head) return [];
    const other = others.find((arm) => arm.cache === own.cache && conditionOf(arm) === conditionOf(own));
    return other === undefined ? [] : [{ base: other, head: own }];
  });
}

function conditionFields({ method, measure, length, batch, cache }: Pick<TimedArm, 'method' | 'measure' | 'length' | 'batch' | 'cache'>) {
  return { method, measure, length, batch, cache };
}

function kvOf({ measurements }: TimedArm): number {
  return Math.max(...measurements.map(({ kvBytes }) => kvBytes.resident));
}

function peakOf({ measurements }: TimedArm): number | null {
  const peaks = measurements.flatMap(({ peakBytes }) => peakBytes ?? []);
  return peaks.length === 0 ? null : Math.max(...peaks);
}

/** Largest batches that both runs found within the same memory limit. */
function batches(method: MethodPair, { base, head }: Sides): Measured[] {
  return head.selection.capacities.flatMap((own) => {
    if (own.method !== method.head) return [];
    const other = base.selection.capacities.find(
      (c) => c.method === method.base && c.cache === own.cache && c.length === own.length && c.memoryLimitBytes === own.memoryLimitBytes,
    );
    if (other === undefined || other.maxBatch === 0) return [];
    const of = { method: method.head, measure: null, length: own.length, batch: null, cache: own.cache };
    return [{ ...of, what: 'maxBatch', base: other.maxBatch, head: own.maxBatch, tolerance: 0 } as const];
  });
}

/** Rows for the conditions under which one run ran out of memory and the other did not. */
function fits(method: MethodPair, { base, head }: Sides): Measured[] {
  const ran = (side: Side, id: string) => side.arms.filter((arm) => arm.method === id);
  const unfit = (side: Side, id: string) => side.selection.unfit.filter((record) => !record.control && record.method === id);
  const key = (at: Pick<TimedArm, 'measure' | 'length' | 'batch' | 'cache'>): string => `${at.cache}/${conditionOf(at)}`;
  const lost = unfit(head, method.head).filter((at) => ran(base, method.base).some((arm) => key(arm) === key(at)));
  const gained = unfit(base, method.base).filter((at) => ran(head, method.head).some((arm) => key(arm) === key(at)));
  const row = (at: (typeof lost)[number], [before, now]: readonly [number, number]): Measured => ({
    ...conditionFields({ ...at, method: method.head }),
    what: 'fits',
    base: before,
    head: now,
    tolerance: 0,
  });
  return [...lost.map((at) => row(at, [1, 0])), ...gained.map((at) => row(at, [0, 1]))];
}
