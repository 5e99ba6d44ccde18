import { performance } from 'node:perf_hooks';
import { MoaError } from '../core/errors.ts';
import { GENERATION_TIMER } from '../measure/generation.ts';
import { type RecordOf, recordsOf } from '../records/record.ts';
import type { TimedCell } from '../suite/cells.ts';
import { type TimedContender, timedContendersOf } from './contenders.ts';
import { now, type RunContext } from './context.ts';
import { inGroups } from './groups.ts';
import { isCompleted, recordCompleted, recordFailed } from './outcome.ts';
import { TimingProcess, type TimingProcessOptions } from './timing-process.ts';
import { timingPrompt } from './timing-prompt.ts';
import { errorOf, type TimeRequest, type TimingOutcome } from './timing-protocol.ts';

export type Launch = (options: TimingProcessOptions) => Promise<TimingProcess>;

/**
 * Times prefill and decode of all methods side by side, in several processes one after the other, because times differ more between processes than within
 * one. A process times a whole group or nothing of it, because the rounds of a group are pairs. The caller must have disposed the model and the backend of
 * this process. A cell is completed when all processes have measured it; a resumed run continues with the missing processes.
 */
export async function runTimings(context: RunContext, cells: readonly TimedCell[], launch: Launch = TimingProcess.launch): Promise<void> {
  const groups = inGroups(cells).map((group) => timedContendersOf(context, group));
  const processes = context.suite.efficiency?.processes ?? 1;
  const elapsedMs = new Map<string, number>();
  const failures = new Map<string, unknown>();
  for (let process = 0; process < processes; process++) {
    const missing = groups.filter((group) => group.some((contender) => !isMeasured(context, contender, process)));
    if (missing.length > 0) await timeInProcess(context, missing, { process, processes, launch, failures, elapsedMs });
  }
  for (const contender of groups.flat()) {
    const measured = Array.from({ length: processes }, (_, process) => isMeasured(context, contender, process));
    if (!measured.every((is) => is)) recordFailed(context, contender, failures.get(contender.hash));
    else if (!isCompleted(context, contender.hash))
      recordCompleted(context, contender, performance.now() - (elapsedMs.get(contender.hash) ?? 0));
  }
}

interface InProcess {
  readonly process: number;
  readonly processes: number;
  readonly launch: Launch;
  /** The last error of each contender, by its address. */
  readonly failures: Map<string, unknown>;
  /** How long the group of each contender took in all processes together, in ms, by the contender's address. */
  readonly elapsedMs: Map<string, number>;
}

/** Times all groups in one launch. A crash fails only the group that was timed, because the next group then gets a new launch. */
async function timeInProcess(context: RunContext, groups: readonly (readonly TimedContender[])[], run: InProcess): Promise<void> {
  let timing: TimingProcess | null = null;
  try {
    for (const group of groups) {
      const started = performance.now();
      try {
        timing ??= await launchLike(context, run.launch);
        await timeGroup(context, timing, group, run);
      } catch (error) {
        context.signal.throwIfAborted();
        if (error instanceof MoaError && error.code === 'IO') throw error; // the disk of the records: no cell's fault
        for (const { hash } of group) run.failures.set(hash, error);
        await timing?.close();
        timing = null;
      }
      for (const { hash } of group) run.elapsedMs.set(hash, (run.elapsedMs.get(hash) ?? 0) + performance.now() - started);
    }
  } finally {
    await timing?.close();
  }
}

/** A timing process with the run's model and backend. @throws INTERNAL when they differ from the run's, for example because the weights have changed. */
async function launchLike({ suite, model, signal, onProgress }: RunContext, launch: Launch): Promise<TimingProcess> {
  const { path, weightDType } = suite.model;
  const { name, threads, device } = suite.backend;
  onProgress({ stage: 'load', done: 0, total: 1, detail: 'a fresh process' });
  const timing = await launch({
    load: {
      model: { path, activationDType: model.activationDType, ...(weightDType === undefined ? {} : { weightDType }) },
      backend: { name, ...(threads === undefined ? {} : { threads }), ...(device === undefined ? {} : { device }) },
    },
    signal,
  });
  if (timing.weightsHash === model.weightsHash && timing.device === model.backend.description) return timing;
  await timing.close();
  throw new MoaError(`Expected the run's weights and ${model.backend.description} in a timing process but received others`, {
    code: 'INTERNAL',
    hint: 'The model folder or the machine changed while the suite ran; run it again.',
  });
}

async function timeGroup(context: RunContext, timing: TimingProcess, group: readonly TimedContender[], run: InProcess): Promise<void> {
  const tried = group.filter((contender) => !isUnfit(context, contender));
  const [first] = tried;
  if (first === undefined) return;
  const { cell } = first;
  const batch = cell.kind === 'prefill' ? '' : ` x ${cell.batch}`;
  const detail = `${cell.length} tokens${batch}, process ${run.process + 1} of ${run.processes}`;
  const ids = group.map((contender) => contender.cell.id);
  const { outcomes, substitutions } = await timing.time(requestOf(context, tried, run.process), (progress) =>
    context.onProgress({
      ...progress,
      detail,
      of: { ids, share: (run.process + progress.done / progress.total) / run.processes },
    }),
  );
  for (const sentence of substitutions) context.substitutions.add(sentence);
  for (const contender of tried) {
    const outcome = outcomes.find(({ id }) => id === contender.hash);
    if (outcome === undefined) throw new MoaError(`Expected an outcome of ${contender.cell.id}`, { code: 'INTERNAL' });
    if (outcome.status === 'failed') run.failures.set(contender.hash, errorOf(outcome.failure));
    else record(context, contender, { outcome, process: run.process });
  }
}

function requestOf({ suite, model }: RunContext, contenders: readonly TimedContender[], process: number): Omit<TimeRequest, 'kind'> {
  const { cell } = contenders[0] as TimedContender;
  return {
    arms: contenders.map(({ hash, layout }) => ({ id: hash, layout: { ...layout, spans: [...layout.spans] } })),
    what:
      cell.kind === 'prefill'
        ? { phase: 'prefill', prompt: [...timingPrompt(model, { length: cell.length - 1, seed: `${suite.seed}/timing/0` })] }
        : { phase: 'decode', batch: cell.batch, newTokens: cell.newTokens, segmentMs: cell.segmentMs },
    chunkTokens: suite.generation.chunkTokens,
    graph: suite.backend.graph,
    rounds: cell.rounds,
    seed: `${suite.seed}/${cell.id}/${process}`, // another order in every process
  };
}

interface Recorded {
  readonly outcome: Exclude<TimingOutcome, { status: 'failed' }>;
  readonly process: number;
}

function record(context: RunContext, { cell, hash, layout }: TimedContender, { outcome, process }: Recorded): void {
  const batch = cell.kind === 'prefill' ? 1 : cell.batch;
  const condition = {
    stretch: context.stretch.open(),
    time: now(),
    cell: hash,
    method: cell.method,
    measure: cell.kind,
    cache: layout.kind,
    length: cell.length,
    batch,
    newTokens: cell.kind === 'prefill' ? 0 : cell.newTokens,
    process,
    control: cell.control,
  };
  if (outcome.status === 'unfit') {
    context.store.append({ kind: 'unfit', ...condition, reason: outcome.reason });
    return;
  }
  const { residentBytes: resident, peakBytes, rssBytes, deviceMemory, samplesMs, passes } = outcome;
  // The size of a growing cache depends on the tokens that it holds; the timing process has checked its bytes against them.
  const planned = layout.kind === 'dynamic' ? resident : layout.bytes * batch;
  context.store.append({
    kind: 'measurement',
    ...condition,
    samplesMs,
    passes,
    timer: GENERATION_TIMER,
    kvBytes: { planned, resident },
    peakBytes,
    rssBytes,
    deviceMemory,
  });
}

/** Whether a process has found that the contender does not fit into memory. Other processes then do not try it. */
function isUnfit({ store }: RunContext, { hash }: TimedContender): boolean {
  return recordsOf(store.ofCell(hash), 'unfit').length > 0;
}

function isMeasured(context: RunContext, contender: TimedContender, process: number): boolean {
  const own: readonly RecordOf<'measurement'>[] = recordsOf(context.store.ofCell(contender.hash), 'measurement');
  return own.some((measurement) => measurement.process === process) || isUnfit(context, contender);
}
