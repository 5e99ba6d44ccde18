import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { modelConfig } from '../../src/model/load.ts';
import { wholeLayout } from '../../src/plan/cache-layout.ts';
import { TimingProcess, type TimingProcessOptions } from '../../src/run/timing-process.ts';
import type { TimeRequest } from '../../src/run/timing-protocol.ts';

const load: TimingProcessOptions['load'] = { model: { path: 'dummy:tiny' }, backend: { name: 'cpu', threads: 1 } };
const still = (): AbortSignal => new AbortController().signal;
const whole = wholeLayout(modelConfig('dummy:tiny'), { tokens: 256, dtype: 'f32' });
const layout = { ...whole, spans: [...whole.spans] };
const decode = (more: Partial<TimeRequest> = {}): Omit<TimeRequest, 'kind'> => ({
  arms: [{ id: 'dense', layout }],
  what: { phase: 'decode', batch: 1, newTokens: 4, segmentMs: 0 },
  chunkTokens: 128,
  graph: 'on',
  rounds: 2,
  seed: 's',
  ...more,
});

/** A process that answers nothing but what the code does; `alive` says so. */
const script = (code: string): readonly string[] => [
  process.execPath,
  '-e',
  `process.stdin.on('end', () => process.exit()).resume();${code}`,
];
const READY = `process.stdin.once('data', () => console.log(JSON.stringify({ kind: 'ready', weightsHash: 'w', device: 'd' })));`;
const quick = { silenceMs: 60_000, standstillMs: 60_000, endMs: 200 };

/** Whether a process of this id lives; one that has ended but whose parent has not looked yet (a zombie, Z) does not. */
function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const status = `/proc/${pid}/stat`;
  return !(existsSync(status) && / Z /.test(readFileSync(status, 'utf8')));
}

async function untilGone(pid: number): Promise<void> {
  while (lives(pid)) await sleep(10);
}

describe('the worker', () => {
  let timing: TimingProcess;
  beforeAll(async () => {
    timing = await TimingProcess.launch({ load, signal: still() });
  });
  afterAll(() => timing.close());

  test('loads the model, times what it is asked, and tells how far it is', async () => {
    expect(timing.device).toMatch(/^cpu: 1 thread/);
    expect(timing.weightsHash).toMatch(/^[0-9a-f]{64}$/);
    const steps: string[] = [];
    const { outcomes, substitutions } = await timing.time(decode(), ({ stage, done, total }) => steps.push(`${stage} ${done}/${total}`));
    expect(outcomes).toEqual([
      {
        id: 'dense',
        status: 'timed',
        samplesMs: [expect.any(Number), expect.any(Number)],
        passes: [1, 1],
        residentBytes: layout.bytes,
        peakBytes: expect.any(Number),
        rssBytes: expect.any(Number),
        deviceMemory: null,
      },
    ]);
    expect(substitutions).toEqual([]);
    expect(steps).toEqual(['decode 0/3', 'decode 1/3', 'decode 2/3', 'decode 3/3']);
    const prompt = new Array<number>(255).fill(5);
    expect(await timing.time(decode({ what: { phase: 'prefill', prompt } }), () => {})).toMatchObject({ outcomes: [{ status: 'timed' }] });
  });

  test('says what is wrong with what it is asked, and goes on', async () => {
    await expect(timing.time(decode({ rounds: 0 }), () => {})).rejects.toMatchObject({ name: 'MoaError', code: 'INTERNAL' });
    expect(await timing.time(decode(), () => {})).toMatchObject({ outcomes: [{ status: 'timed' }] });
  });
});

describe('a timing process', () => {
  test('that cannot load the model says why, and is gone', async () => {
    const failure = { code: 'NOT_FOUND', message: 'Expected a folder models/none', hint: 'Look again.' };
    const command = script(
      `process.stdin.once('data', () => console.log(${JSON.stringify(JSON.stringify({ kind: 'failed', failure }))}));`,
    );
    await expect(TimingProcess.launch({ load, signal: still(), command })).rejects.toMatchObject({ name: 'MoaError', ...failure });
  });

  test('that was ended is asked for nothing more', async () => {
    const timing = await TimingProcess.launch({ load, signal: still(), command: script(READY) });
    await timing.close();
    await expect(timing.time(decode(), () => {})).rejects.toThrow('was ended');
  });

  test('that crashes rejects what it was asked for, with its last words', async () => {
    const command = script(`${READY}setTimeout(() => process.stdin.once('data', () => { console.error('boom'); process.exit(3); }), 0);`);
    const timing = await TimingProcess.launch({ load, signal: still(), command });
    await expect(timing.time(decode(), () => {})).rejects.toMatchObject({
      code: 'INTERNAL',
      message: 'The timing process ended with exit code 3 in the middle of its work',
      hint: 'Its last words: boom',
    });
    await timing.close();
  });

  test('that is killed says by which signal', async () => {
    const command = script(`process.stdin.once('data', () => process.kill(process.pid, 'SIGKILL'));`);
    await expect(TimingProcess.launch({ load, signal: still(), command })).rejects.toMatchObject({
      message: 'The timing process ended by SIGKILL in the middle of its work',
    });
  });

  test('that cannot be started says so', async () => {
    await expect(TimingProcess.launch({ load, signal: still(), command: ['/no/such/program'] })).rejects.toMatchObject({
      code: 'INTERNAL',
    });
  });

  test('that says nothing is ended', async () => {
    const command = script('');
    await expect(TimingProcess.launch({ load, signal: still(), command, limits: { ...quick, silenceMs: 50 } })).rejects.toThrow(
      'said nothing for 0.05 s',
    );
  });

  test('that lives but gets nowhere is ended', async () => {
    const command = script(`setInterval(() => console.log('{"kind":"alive"}'), 10);`);
    await expect(TimingProcess.launch({ load, signal: still(), command, limits: { ...quick, standstillMs: 300 } })).rejects.toThrow(
      'made no progress for 0.3 s',
    );
  });

  test('that does not end when its stdin closes is ended by force', async () => {
    const command = [process.execPath, '-e', `${READY}setInterval(() => {}, 1000);`];
    const timing = await TimingProcess.launch({ load, signal: still(), command, limits: { ...quick, endMs: 20 } });
    await timing.close(); // returns when it is gone
  });

  test('words of libraries on its stdout are passed over', async () => {
    const command = script(`console.log('hello'); console.log('{"kind":"other"}'); ${READY}`);
    const timing = await TimingProcess.launch({ load, signal: still(), command });
    expect(timing).toMatchObject({ device: 'd', weightsHash: 'w' });
    await timing.close();
  });

  test('ends on abort, in the middle of its work', async () => {
    const controller = new AbortController();
    const command = script(
      `${READY}process.stdin.on('data', () => console.log('{"kind":"progress","stage":"decode","done":0,"total":1}'));`,
    );
    const timing = await TimingProcess.launch({ load, signal: controller.signal, command });
    const asked = timing.time(decode(), () => controller.abort());
    await expect(asked).rejects.toMatchObject({ code: 'ABORTED' });
    await timing.close();
    await expect(TimingProcess.launch({ load, signal: controller.signal, command })).rejects.toThrow();
  });
});

describe('when the run that started it is killed', () => {
  const worker = fileURLToPath(new URL('../../src/run/timing-worker.ts', import.meta.url));
  const requests = [
    { kind: 'load', ...load },
    { kind: 'time', ...decode({ rounds: 1_000_000 }) },
  ];
  // The run: starts the worker, has it work for ever, and tells its id once it does.
  const code = `
    const { spawn } = require('node:child_process');
    const child = spawn(process.execPath, ${JSON.stringify([...process.execArgv, worker])}, { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.write(${JSON.stringify(requests.map((request) => `${JSON.stringify(request)}\n`).join(''))});
    child.stdout.on('data', (data) => { if (String(data).includes('"done":2,')) console.log(child.pid); });`;
  let run: ChildProcess;
  let pid: number;
  beforeAll(async () => {
    run = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [data] = (await once(run.stdout as Readable, 'data')) as [Buffer];
    pid = Number(data.toString().trim().split('\n')[0]);
  });

  afterAll(() => {
    run.kill('SIGKILL');
  });

  test('the worker ends too, in the middle of its work', async () => {
    expect(lives(pid)).toBe(true);
    run.kill('SIGKILL');
    await untilGone(pid);
    expect(lives(pid)).toBe(false);
  });
});
