import { median } from '../../core/statistics/descriptive.ts';
import { type TimingEstimate, type TimingRatio, type Timings, timingRatio, typicalTime } from '../../core/statistics/timing.ts';
import type { ArmSpec, Prepared, Timed } from '../../peers/kernel-protocol.ts';
import type { CeilingName, KernelCase, Section, Target, Work } from './case.ts';
import type { PeerRun } from './run.ts';

/** A comparison with a reference. `error`: relative to the largest magnitude unless the note says otherwise; null when it is not finite. */
export interface CheckResult {
  readonly process: number;
  readonly name: string;
  readonly error: number | null;
  readonly limit: number;
  readonly passed: boolean;
  readonly note: string;
}

export interface CeilingsFound {
  readonly process: number;
  readonly ceiling: CeilingName;
  readonly best: number;
  readonly unit: 'TB/s' | 'TFLOP/s';
  readonly samplesMs: Readonly<Record<string, readonly number[]>>;
}

export interface Failure {
  readonly process: number;
  readonly name: string;
  readonly reason: string;
}

/** What one process measured of one case. */
export interface ProcessTimes {
  readonly process: number;
  readonly arms: Prepared['arms'];
  /** Ids of arms whose results are wrong. */
  readonly wrong: readonly string[];
  readonly ready: readonly string[];
  readonly timed: Timed;
}

/** The samples of a contender in one process. Samples of two contenders with the same index were taken in the same round. */
interface ArmProcess {
  readonly process: number;
  readonly mode: string;
  readonly hostUs: number;
  readonly samplesMs: readonly number[];
}

export interface ArmRecord {
  readonly id: string;
  readonly by: ArmSpec['by'];
  readonly processes: readonly ArmProcess[];
  /** Why the contender could not run in some process; null when it ran in all. */
  readonly unavailable: string | null;
  /** Its time / our time; above 1, ours is faster. Null for our own kernel, and for a contender that never ran in the same process as ours. */
  readonly ratio: TimingRatio | null;
}

export interface TargetRecord {
  readonly name: string;
  readonly atLeast?: number;
  readonly atMost?: number;
  readonly value: TimingEstimate | null;
  readonly met: boolean | null;
}

export interface CaseRecord {
  readonly section: Section;
  readonly name: string;
  readonly spec: KernelCase['spec'];
  readonly work: Work | null;
  readonly note: string | null;
  /** The time of our kernel; null when it ran in no process. */
  readonly time: TimingEstimate | null;
  readonly rate: { readonly value: number; readonly unit: 'TB/s' | 'TFLOP/s' } | null;
  /** Our share of the ceiling that the same process found. */
  readonly share: TimingEstimate | null;
  readonly arms: readonly ArmRecord[];
  /** Median SM clock and power in each process while the case was timed. */
  readonly clocks: readonly { readonly process: number; readonly smMhz: number; readonly watts: number }[];
  readonly targets: readonly TargetRecord[];
}

/** What a run found, with statistics. Intervals are taken over processes; the rounds of a process are pairs. */
export interface KernelsBody {
  readonly ceilings: readonly CeilingsFound[];
  readonly checks: readonly CheckResult[];
  readonly cases: readonly CaseRecord[];
  readonly failures: readonly Failure[];
}

export function kernelsBody({ checks, ceilings, times, failures }: PeerRun): KernelsBody {
  return {
    ceilings,
    checks,
    cases: [...times].filter(([, processes]) => processes.length > 0).map(([one, processes]) => caseRecord(one, processes, ceilings)),
    failures,
  };
}

function caseRecord(one: KernelCase, processes: readonly ProcessTimes[], ceilings: readonly CeilingsFound[]): CaseRecord {
  const ours = one.arms[0]?.id ?? '';
  const own = samplesOf(processes, [ours])[0] ?? [];
  const time = own.length === 0 ? null : typicalTime(own);
  const { work } = one;
  return {
    section: one.section,
    name: one.name,
    spec: one.spec,
    work,
    note: one.note ?? null,
    time,
    rate: time === null || work === null ? null : { value: amountOf(work) / time.estimate / 1e9, unit: unitOf(work) },
    share: work === null ? null : shareOfCeiling(work, processes, ours, ceilings),
    arms: one.arms.map((arm) => armRecord(arm, ours, processes)),
    clocks: processes.flatMap(({ process, timed: { clocks } }) =>
      clocks.length === 0 ? [] : [{ process, smMhz: median(clocks.map(([mhz]) => mhz)), watts: median(clocks.map(([, watts]) => watts)) }],
    ),
    targets: (one.targets ?? []).map((target) => targetRecord(target, one, processes, ceilings)),
  };
}

const amountOf = (work: Work): number => ('bytes' in work ? work.bytes : work.flop);
const unitOf = (work: Work): 'TB/s' | 'TFLOP/s' => ('bytes' in work ? 'TB/s' : 'TFLOP/s');

/** Samples of the arms `ids`, [arm][process][round], from those processes that timed all of these arms. */
function samplesOf(processes: readonly ProcessTimes[], ids: readonly string[]): readonly Timings[] {
  const both = processes.filter(({ ready }) => ids.every((id) => ready.includes(id)));
  return ids.map((id) => both.map(({ timed }) => timed.samplesMs[id] ?? []));
}

function ratioOf(processes: readonly ProcessTimes[], top: string, bottom: string): TimingRatio | null {
  const [over = [], under = []] = samplesOf(processes, [top, bottom]);
  return over.length === 0 ? null : timingRatio(over, under);
}

function armRecord(arm: ArmSpec, ours: string, processes: readonly ProcessTimes[]): ArmRecord {
  const ran = processes.flatMap(({ process, arms, ready, timed }) => {
    const state = arms[arm.id];
    if (!ready.includes(arm.id) || state === undefined || !('mode' in state)) return [];
    return [{ process, mode: state.mode, hostUs: timed.hostUs[arm.id] ?? 0, samplesMs: timed.samplesMs[arm.id] ?? [] }];
  });
  const lacking = processes.flatMap(({ arms, wrong }) => {
    const state = arms[arm.id];
    if (wrong.includes(arm.id)) return ['its results are wrong'];
    return state !== undefined && 'unavailable' in state ? [state.unavailable] : [];
  });
  return {
    id: arm.id,
    by: arm.by,
    processes: ran,
    unavailable: lacking[0] ?? null,
    ratio: arm.id === ours ? null : ratioOf(processes, arm.id, ours),
  };
}

/** The time that the ceiling of the same process allows / the time of our kernel; null when no process has both. */
function shareOfCeiling(
  work: Work,
  processes: readonly ProcessTimes[],
  ours: string,
  ceilings: readonly CeilingsFound[],
): TimingEstimate | null {
  const found = processes.flatMap(({ process, ready, timed }) => {
    const best = ceilings.find((one) => one.process === process && one.ceiling === work.ceiling)?.best;
    const samples = timed.samplesMs[ours] ?? [];
    return best === undefined || !ready.includes(ours) ? [] : [{ samples, least: samples.map(() => amountOf(work) / best / 1e9) }];
  });
  if (found.length === 0) return null;
  return timingRatio(
    found.map(({ least }) => least),
    found.map(({ samples }) => samples),
  );
}

function targetRecord(
  target: Target,
  one: KernelCase,
  processes: readonly ProcessTimes[],
  ceilings: readonly CeilingsFound[],
): TargetRecord {
  const value = targetValue(target, one, processes, ceilings);
  const bounds = 'atLeast' in target ? { atLeast: target.atLeast } : { atMost: target.atMost };
  const met = value === null ? null : 'atLeast' in target ? value.estimate >= target.atLeast : value.estimate <= target.atMost;
  return { name: target.name, ...bounds, value, met };
}

function targetValue(
  target: Target,
  one: KernelCase,
  processes: readonly ProcessTimes[],
  ceilings: readonly CeilingsFound[],
): TimingEstimate | null {
  if (target.of === 'share of the ceiling')
    return one.work === null ? null : shareOfCeiling(one.work, processes, one.arms[0]?.id ?? '', ceilings);
  const ratio = ratioOf(processes, ...target.of);
  const by = target.dividedBy ?? 1;
  if (ratio === null) return null;
  const { estimate, low, high, processes: launches, rounds } = ratio;
  return { estimate: estimate / by, low: low && low / by, high: high && high / by, processes: launches, rounds };
}
