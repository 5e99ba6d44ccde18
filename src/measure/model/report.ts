import { median } from '../../core/statistics/descriptive.ts';
import { type TimingRatio, timingRatio } from '../../core/statistics/timing.ts';
import type { FromProcess } from './process.ts';
import type { OpTimesProcess, ProfileProcess, WholeStepProcess } from './protocol.ts';

/** What a bench of a model writes beside its environment: the raw samples of each process, and the estimates made from them. */

interface Ratio extends TimingRatio {
  readonly name: string;
}

interface WholeStepRow {
  readonly id: string;
  readonly graph: 'on' | 'off';
  readonly batch: number;
  /** Why the contender was not timed; null when it was timed. */
  readonly reason: string | null;
  /** Times of one step, [process][round]. */
  readonly stepMs: readonly (readonly number[])[];
  /** Bytes that a step reads: weights, and live keys and values. */
  readonly bytes: number;
  readonly kvBytes: number;
  readonly peakBytes: number;
  readonly tokensPerSecond: number;
  /** The time that the read ceiling allows / the measured time. */
  readonly rooflineShare: number;
}

export interface WholeStepReport {
  readonly density: number;
  /** Bytes per second, one for each process. */
  readonly readCeilings: readonly number[];
  /** The ceiling of which shares are taken, in bytes per second: the best of `readCeilings`, or the given one when it is higher. */
  readonly ceiling: number;
  readonly rows: readonly WholeStepRow[];
  readonly ratios: readonly Ratio[];
}

/** The report with one row for each contender. `given`: a ceiling of another measurement in bytes per second, which is used when it is higher. */
export function wholeStepReport(processes: readonly FromProcess<WholeStepProcess>[], given = 0): WholeStepReport {
  const results = processes.map(({ result }) => result);
  const readCeilings = results.map(({ readCeiling }) => readCeiling);
  const ceiling = Math.max(given, ...readCeilings);
  const rows = (results[0]?.rows ?? []).map((_, index) => wholeStepRow(results, index, ceiling));
  return { density: results[0]?.density ?? 1, readCeilings, ceiling, rows, ratios: wholeStepRatios(rows) };
}

function wholeStepRow(results: readonly WholeStepProcess[], index: number, ceiling: number): WholeStepRow {
  const own = results.flatMap(({ rows }) => rows[index] ?? []);
  const timed = own.flatMap((row) => ('stepMs' in row ? [row] : []));
  const failed = own.find((row) => 'reason' in row);
  const [{ id, graph, batch }] = own as [WholeStepProcess['rows'][number]];
  const kvBytes = timed[0]?.kvBytes ?? 0;
  const bytes = kvBytes + (results[0]?.weightBytes ?? 0);
  const stepMs = failed === undefined ? timed.map((row) => row.stepMs) : [];
  const ms = stepMs.length === 0 ? Number.POSITIVE_INFINITY : median(stepMs.flat());
  return {
    id,
    graph,
    batch,
    reason: failed !== undefined && 'reason' in failed ? failed.reason : null,
    stepMs,
    bytes,
    kvBytes,
    peakBytes: Math.max(0, ...timed.map(({ peakBytes }) => peakBytes)),
    tokensPerSecond: (batch / ms) * 1e3,
    rooflineShare: bytes / ceiling / (ms / 1e3),
  };
}

/** Ratios of step times: without a recorded graph against with it, and methods against dense at the same batch. */
function wholeStepRatios(rows: readonly WholeStepRow[]): readonly Ratio[] {
  const at = (id: string, graph: 'on' | 'off'): WholeStepRow | undefined =>
    rows.find((row) => row.id === id && row.graph === graph && row.reason === null);
  const ratio = (name: string, top: WholeStepRow | undefined, bottom: WholeStepRow | undefined): readonly Ratio[] =>
    top === undefined || bottom === undefined ? [] : [{ name, ...timingRatio(top.stepMs, bottom.stepMs) }];
  const ids = [...new Set(rows.map(({ id }) => id))];
  return [
    ...ids.flatMap((id) => ratio(`${id}: step without a graph / with one`, at(id, 'off'), at(id, 'on'))),
    ...['uniform, same batch', 'moa, same batch'].flatMap((id) => ratio(`dense / ${id}`, at('dense', 'on'), at(id, 'on'))),
    ...ratio('dense / moa, batch 1', at('dense, batch 1', 'on'), at('moa, batch 1', 'on')),
  ];
}

export interface ProfileReport {
  readonly rows: readonly {
    readonly tokens: number;
    /** [process][round]; the prefill and the profile of a round are a pair. */
    readonly prefillMs: readonly (readonly number[])[];
    readonly profileMs: readonly (readonly number[])[];
    readonly ratio: TimingRatio;
    readonly peakBytes: number;
  }[];
}

export function profileReport(processes: readonly FromProcess<ProfileProcess>[]): ProfileReport {
  const results = processes.map(({ result }) => result);
  return {
    rows: (results[0]?.rows ?? []).map(({ tokens }, index) => {
      const own = results.flatMap(({ rows }) => rows[index] ?? []);
      const [prefillMs, profileMs] = [own.map((row) => row.prefillMs), own.map((row) => row.profileMs)];
      return {
        tokens,
        prefillMs,
        profileMs,
        ratio: timingRatio(profileMs, prefillMs),
        peakBytes: Math.max(...own.map((row) => row.peakBytes)),
      };
    }),
  };
}

export function wholeStepText({ density, readCeilings, ceiling, rows, ratios }: WholeStepReport): string {
  return [
    `read ceiling ${readCeilings.map(terabytes).join(', ')} TB/s by process, ${terabytes(ceiling)} used; density ${density.toFixed(3)}`,
    ...rows.map(({ id, graph, batch, reason, stepMs, tokensPerSecond, rooflineShare }) =>
      reason === null
        ? `${`${id}, graph ${graph}`.padEnd(32)} batch ${String(batch).padStart(4)} ${median(stepMs.flat()).toFixed(3).padStart(10)} ms a step ${tokensPerSecond.toFixed(0).padStart(7)} tokens/s ${(100 * rooflineShare).toFixed(1).padStart(6)}% of the roofline`
        : `${`${id}, graph ${graph}`.padEnd(32)} batch ${String(batch).padStart(4)} not timed: ${reason}`,
    ),
    ...ratios.map(ratioLine),
  ].join('\n');
}

export function profileText({ rows }: ProfileReport): string {
  return rows
    .map(({ tokens, prefillMs, profileMs, ratio, peakBytes }) => {
      const times = `prefill ${median(prefillMs.flat()).toFixed(1)} ms, profile ${median(profileMs.flat()).toFixed(1)} ms`;
      const memory = `${(peakBytes / 2 ** 20).toFixed(0)} MiB more (${(peakBytes / tokens / 1024).toFixed(0)} KiB a token)`;
      return `${tokens} tokens: ${times}, ${memory}\n  ${ratioLine({ name: 'profile / prefill', ...ratio })}`;
    })
    .join('\n');
}

/** So many ops of a part are shown: those that take most of its time. */
const SHOWN_OPS = 18;

export function opTimesText({ parts }: OpTimesProcess): string {
  return parts
    .flatMap(({ id, wallMs, ops }) => [
      `${id}: ${wallMs.toFixed(1)} ms in all, ${ops.reduce((sum, { ms }) => sum + ms, 0).toFixed(1)} ms in ops`,
      ...ops
        .slice(0, SHOWN_OPS)
        .map(({ op, calls, ms }) => `  ${op.padEnd(34)} ${String(calls).padStart(6)} x ${ms.toFixed(2).padStart(10)} ms`),
    ])
    .join('\n');
}

function ratioLine({ name, estimate, low, high, processes, rounds }: Ratio): string {
  const interval = low === null || high === null ? '(too few for an interval)' : `[${low.toFixed(3)}, ${high.toFixed(3)}]`;
  return `${name}: ${estimate.toFixed(3)} ${interval} n = ${rounds} rounds in ${processes} process${processes === 1 ? '' : 'es'}`;
}

function terabytes(bytesPerSecond: number): string {
  return (bytesPerSecond / 1e12).toFixed(3);
}
