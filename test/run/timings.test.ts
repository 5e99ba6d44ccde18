import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { MoaError } from '../../src/core/errors.ts';
import type { Backend } from '../../src/native/backend.ts';
import { createBackend } from '../../src/native/backends.ts';
import { recordsOf } from '../../src/records/record.ts';
import type { RunContext } from '../../src/run/context.ts';
import type { TimingProcess } from '../../src/run/timing-process.ts';
import type { TimeRequest, TimingOutcome } from '../../src/run/timing-protocol.ts';
import { type Launch, runTimings } from '../../src/run/timings.ts';
import type { Suite } from '../../src/suite/schema.ts';
import { cellsOf, tinyContext, tinyModelFolder } from './tiny-context.ts';

const modelFolder = tinyModelFolder();
const backend: Backend = await createBackend({ name: 'cpu', threads: 1 });
afterAll(() => backend.dispose());

const suite = {
  backend: { name: 'cpu', threads: 1 },
  methods: [
    { id: 'dense', method: 'dense' },
    { id: 'half', method: 'streaming', density: 0.5 },
  ],
  efficiency: {
    processes: 2,
    prefill: { lengths: [192], rounds: 2 },
    decode: { lengths: [192], batch: [2], newTokens: 4, segmentMs: 0, rounds: 3 },
    caches: ['dynamic'],
  },
};
let context: RunContext;
async function start(): Promise<void> {
  context = await tinyContext(backend, modelFolder, suite);
}

const timedCells = ({ suite: of }: RunContext) => [...cellsOf(of, 'prefill'), ...cellsOf(of, 'decode')];
const withProcesses = (processes: number): RunContext => ({
  ...context,
  suite: { ...context.suite, efficiency: { ...context.suite.efficiency, processes } as NonNullable<Suite['efficiency']> },
});
const measured = () =>
  recordsOf(context.store.records, 'measurement').map(
    (m) => `${m.measure} ${m.method} ${m.cache}${m.control ? ' control' : ''} ${m.process}`,
  );
const endOf = (id: string) => recordsOf(context.store.records, 'outcome').findLast((outcome) => outcome.cellId === id);

/** Processes that answer at once; `answer` says how each contender ends. */
function fake(answer: (request: Omit<TimeRequest, 'kind'>, launched: number) => readonly Partial<TimingOutcome>[] | Error) {
  const requests: Omit<TimeRequest, 'kind'>[] = [];
  let launches = 0;
  const launch: Launch = async () => {
    const number = launches++;
    return {
      device: context.model.backend.description,
      weightsHash: context.model.weightsHash,
      time: async (request: Omit<TimeRequest, 'kind'>) => {
        requests.push(request);
        const outcomes = answer(request, number);
        if (outcomes instanceof Error) throw outcomes;
        return { outcomes: outcomes.map((outcome, i) => ({ id: request.arms[i]?.id, ...outcome })), substitutions: [`kernel ${number}`] };
      },
      close: async () => {},
    } as unknown as TimingProcess;
  };
  return { launch, requests, launches: () => launches };
}
const timed = (request: Omit<TimeRequest, 'kind'>): Partial<TimingOutcome>[] =>
  request.arms.map(() => ({
    status: 'timed',
    samplesMs: new Array<number>(request.rounds).fill(5),
    passes: new Array<number>(request.rounds).fill(1),
    residentBytes: 8,
    peakBytes: 9,
    rssBytes: 10,
    deviceMemory: null,
  }));

describe('timings of a process that is really started', () => {
  beforeAll(async () => {
    const small = {
      ...suite,
      efficiency: { processes: 1, decode: { lengths: [128], newTokens: 4, segmentMs: 0, rounds: 3 }, caches: ['dynamic'] },
    };
    context = await tinyContext(backend, modelFolder, small);
    await runTimings(context, timedCells(context));
  });

  test('are one measurement a cell', () => {
    const arms = ['dense full', 'half ring', 'dense dynamic', 'dense full control'];
    expect(measured()).toEqual(arms.map((arm) => `decode ${arm} 0`));
    for (const cell of timedCells(context)) expect(endOf(cell.id)).toMatchObject({ status: 'completed' });
    for (const measurement of recordsOf(context.store.records, 'measurement')) {
      expect(measurement.samplesMs).toHaveLength(3);
      expect(measurement.kvBytes.resident).toBe(measurement.kvBytes.planned);
      expect(measurement.timer).toBe('wall clock');
    }
  });
});

describe('timings', () => {
  beforeEach(start);

  test('take one launch a process for all groups, each with an order of its own', async () => {
    const processes = fake(timed);
    await runTimings(context, timedCells(context), processes.launch);
    expect(processes.launches()).toBe(2);
    expect(processes.requests.map(({ what }) => what.phase)).toEqual(['prefill', 'decode', 'prefill', 'decode']);
    expect(new Set(processes.requests.map(({ seed }) => seed)).size).toBe(4);
    expect([...context.substitutions]).toEqual(['kernel 0', 'kernel 1']);
  });

  test('that are done are not done again, and more processes go on with the missing ones', async () => {
    await runTimings(context, timedCells(context), fake(timed).launch);
    const again = fake(timed);
    const before = context.store.records.length;
    await runTimings(context, timedCells(context), again.launch);
    expect([again.launches(), context.store.records.length]).toEqual([0, before]);
    await runTimings(withProcesses(3), timedCells(context), again.launch);
    expect([again.launches(), again.requests.length]).toEqual([1, 2]);
    expect(measured().filter((m) => m.startsWith('decode half'))).toEqual([
      'decode half ring 0',
      'decode half ring 1',
      'decode half ring 2',
    ]);
  });

  test('a crash fails the cells of its group in its process only; a resumed run measures that process again, whole', async () => {
    const crash = new MoaError('The timing process ended by SIGSEGV', { code: 'INTERNAL' });
    const processes = fake((request, launched) => (launched === 0 && request.what.phase === 'prefill' ? crash : timed(request)));
    await runTimings(context, timedCells(context), processes.launch);
    expect(processes.launches()).toBe(3); // the crashed one, its successor for decode, and process 1
    expect(endOf('prefill/192/half')).toMatchObject({ status: 'failed', error: { message: expect.stringContaining('SIGSEGV') } });
    expect(endOf('decode/192x2/half')).toMatchObject({ status: 'completed' });
    const resumed = fake(timed);
    await runTimings(context, timedCells(context), resumed.launch);
    expect(resumed.requests.map(({ what, arms }) => [what.phase, arms.length])).toEqual([['prefill', 4]]);
    expect(endOf('prefill/192/half')).toMatchObject({ status: 'completed' });
  });

  test('what does not fit into memory is a result: completed, not tried again, and the others keep their pairs', async () => {
    const reason = 'Expected 3 GiB for the KV cache but 1 GiB is free';
    const processes = fake((request, launched) =>
      timed(request).map((outcome, i) =>
        request.what.phase === 'decode' && launched === 0 && i === 2 ? { status: 'unfit' as const, reason } : outcome,
      ),
    );
    await runTimings(context, timedCells(context), processes.launch);
    expect(recordsOf(context.store.records, 'unfit')).toMatchObject([
      { method: 'dense', measure: 'decode', cache: 'dynamic', length: 192, batch: 2, process: 0, control: false, reason },
    ]);
    expect(endOf('decode/192x2/dense+dynamic')).toMatchObject({ status: 'completed' });
    expect(processes.requests.map(({ arms }) => arms.length)).toEqual([4, 4, 4, 3]);
    expect(measured().filter((m) => m.startsWith('decode'))).toHaveLength(6);
  });

  test("one contender's failure is its own", async () => {
    const failure = { code: 'UNSUPPORTED', message: 'no such kernel', hint: null } as const;
    const processes = fake((request) => timed(request).map((outcome, i) => (i === 1 ? { status: 'failed' as const, failure } : outcome)));
    await runTimings(context, timedCells(context), processes.launch);
    expect(endOf('decode/192x2/half')).toMatchObject({ status: 'failed', error: { code: 'UNSUPPORTED', message: 'no such kernel' } });
    expect(endOf('decode/192x2/dense')).toMatchObject({ status: 'completed' });
  });

  test('an abort is thrown on, and nothing is recorded as failed', async () => {
    const controller = new AbortController();
    const processes = fake(() => {
      controller.abort();
      return new MoaError('Stopped on request', { code: 'ABORTED' });
    });
    await expect(runTimings({ ...context, signal: controller.signal }, timedCells(context), processes.launch)).rejects.toThrow();
    expect(recordsOf(context.store.records, 'outcome').filter(({ status }) => status === 'failed')).toEqual([]);
  });

  test('a process with other weights is not taken', async () => {
    const { launch } = fake(timed);
    const other: Launch = async (options) => Object.assign(await launch(options), { weightsHash: 'other' });
    await runTimings(context, timedCells(context), other);
    expect(endOf('decode/192x2/dense')).toMatchObject({
      status: 'failed',
      error: { message: expect.stringContaining("Expected the run's weights") },
    });
  });
});
