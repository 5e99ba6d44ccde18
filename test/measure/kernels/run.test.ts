import { describe, expect, test } from 'vitest';
import type { KernelCase, KernelCheck } from '../../../src/measure/kernels/case.ts';
import { kernelsBody } from '../../../src/measure/kernels/record.ts';
import { type PeerRunOptions, runPeerKernels } from '../../../src/measure/kernels/run.ts';
import { kernelsText } from '../../../src/measure/kernels/text.ts';
import { launchKernels, scriptedKernels } from './scripted-kernels.ts';

const add = (name: string, more: Partial<KernelCase> = {}): KernelCase => ({
  section: 'rows',
  name,
  spec: { op: 'add', tokens: 1, width: 1 },
  arms: [
    { id: 'ours', by: 'moabench' },
    { id: 'eager', by: 'eager' },
    { id: 'flex', by: 'flex' },
  ],
  work: { bytes: 1e9, ceiling: 'copy' },
  rounds: 8,
  limit: 1e-2,
  needs: ['append'],
  targets: [
    { name: 'share', of: 'share of the ceiling', atLeast: 0.9 },
    { name: 'eager / ours', of: ['eager', 'ours'], dividedBy: 2, atMost: 1.1 },
  ],
  ...more,
});
const check: KernelCheck = { name: 'append d128', spec: { op: 'append' }, limits: { '': 1e-2 } };

function run(more: Partial<PeerRunOptions> = {}, code = '') {
  const launches: unknown[] = [];
  const launch = async () => {
    launches.push(0);
    return launchKernels(scriptedKernels(code));
  };
  const found = runPeerKernels({
    checks: [check],
    ceilings: [
      { ceiling: 'copy', spec: { op: 'copy', bytes: 1e9 }, arms: [{ id: 'copy', by: 'torch.copy' }], work: { bytes: 1e9 }, rounds: 4 },
    ],
    cases: [add('a')],
    processes: 2,
    launch,
    budgetMs: Number.POSITIVE_INFINITY,
    signal: new AbortController().signal,
    onProgress: () => {},
    onProcess: () => {},
    ...more,
  });
  return { found, launches };
}

describe('kernels beside their peers', () => {
  test('are checked, and timed in every process, each round in an order of its own', async () => {
    const { found, launches } = run();
    const { failures, checks, times } = await found;
    expect(failures).toEqual([]);
    expect(launches).toHaveLength(2);
    expect(checks.map(({ process, name, passed }) => [process, name, passed])).toEqual([
      [0, 'append d128', true],
      [0, 'rows-at-scale a: add', true],
      [1, 'append d128', true],
      [1, 'rows-at-scale a: add', true],
    ]);
    const [processes = []] = times.values();
    const places = processes.map(({ timed }) => (timed.samplesMs.ours ?? []).map((ms) => Math.round((ms - 1) * 1e3)));
    for (const own of places) {
      expect(own).toHaveLength(8);
      expect(new Set(own)).toEqual(new Set([0, 1]));
    }
    expect(places[0]).not.toEqual(places[1]);
  });

  test('are told with ratios over processes, shares of the ceiling of their process, targets, and peers that are not there', async () => {
    const body = kernelsBody(await run().found);
    const [one] = body.cases;
    expect(one).toMatchObject({
      name: 'a',
      time: { estimate: expect.closeTo(1, 2), processes: 2, rounds: 16 },
      rate: { value: expect.closeTo(1, 2), unit: 'TB/s' },
      share: { estimate: expect.closeTo(1, 2), processes: 2 },
      clocks: [
        { process: 0, smMhz: 1940, watts: 550 },
        { process: 1, smMhz: 1940, watts: 550 },
      ],
      targets: [
        { name: 'share', atLeast: 0.9, met: true },
        { name: 'eager / ours', atMost: 1.1, met: true, value: { estimate: expect.closeTo(1, 2) } },
      ],
    });
    expect(one?.arms.map(({ id, ratio, unavailable }) => [id, ratio?.estimate.toFixed(1), unavailable])).toEqual([
      ['ours', undefined, null],
      ['eager', '2.0', null],
      ['flex', undefined, 'no flex'],
    ]);
    const text = kernelsText(body);
    expect(text).toMatch(/ {2}a {2}1\.00\d* ms {2}1\.00 TB\/s .* of the ceiling/);
    expect(text).toContain('flex: did not run beside ours (no flex)');
    expect(text).toContain('checks: 4 passed, 0 failed');
    expect(text).toContain('targets: 2 of 2 met');
  });

  test('that are wrong on a small shape are not timed', async () => {
    const wrong = `if (request.ask === 'check') return answer({ checks: [finding({ error: null })] });`;
    const { checks, failures, times } = await run({ cases: [add('a'), add('b', { needs: [] })], processes: 1 }, wrong).found;
    expect(checks[0]).toEqual({ process: 0, name: 'append d128', error: null, limit: 1e-2, passed: false, note: '' });
    expect(failures).toEqual([{ process: 0, name: 'rows a', reason: 'not timed: append d128 is wrong' }]);
    expect([...times.values()].map((processes) => processes.length)).toEqual([0, 1]);
  });

  test('that are wrong at the timed shape are not timed; one arm that is wrong is left out alone', async () => {
    const ours = `if (request.ask === 'prepare' && request.check) return answer({ checks: [finding({ error: 1 })], arms: {} });`;
    expect(await run({ processes: 1 }, ours).found).toMatchObject({
      failures: [{ name: 'rows a', reason: 'not timed: wrong at this shape' }],
    });
    const arm = `if (request.ask === 'prepare' && request.check) { ids = ['ours', 'eager'];
      return answer({ checks: [finding({ error: 1, arm: 'eager' })], arms: { ours: { mode: 'events' }, eager: { mode: 'events' } } }); }`;
    const body = kernelsBody(await run({ processes: 1 }, arm).found);
    expect(body.failures).toEqual([]);
    expect(body.cases[0]?.arms[1]).toMatchObject({ id: 'eager', processes: [], ratio: null, unavailable: 'its results are wrong' });
  });

  test('that break the worker cost themselves: a new one goes on after them', async () => {
    const dies = `if (request.ask === 'prepare' && request.spec.tokens === 13) process.exit(5);`;
    const cases = [add('a', { spec: { op: 'add', tokens: 13, width: 1 } }), add('b')];
    const { found, launches } = run({ cases, processes: 1 }, dies);
    const { failures, times } = await found;
    expect(launches).toHaveLength(2);
    expect(failures).toEqual([{ process: 0, name: 'rows a', reason: expect.stringContaining('ended with exit code 5') }]);
    expect([...times.values()].map((processes) => processes.length)).toEqual([0, 1]);
  });

  test('that a worker cannot do are recorded, and the same worker goes on', async () => {
    const fails = `if (request.ask === 'prepare' && request.spec.tokens === 13)
      return say({ id: request.id, failed: { code: 'OUT_OF_MEMORY', message: 'no memory' } });`;
    const cases = [add('a', { spec: { op: 'add', tokens: 13, width: 1 } }), add('b')];
    const { found, launches } = run({ cases, processes: 1 }, fails);
    expect(await found).toMatchObject({ failures: [{ name: 'rows a', reason: 'no memory' }] });
    expect(launches).toHaveLength(1);
  });

  test('are not begun when the time is up, which is told', async () => {
    const { failures, checks } = await run({ budgetMs: -1, processes: 1 }).found;
    expect(checks).toEqual([]);
    expect(failures.map(({ name, reason }) => `${name}: ${reason}`)).toEqual([
      'check append d128: not begun: out of time',
      'ceiling copy: not begun: out of time',
      'rows a: not begun: out of time',
    ]);
  });

  test('end with an abort', async () => {
    const controller = new AbortController();
    const { found } = run({ signal: controller.signal, onProgress: ({ done }) => done === 1 && controller.abort() });
    await expect(found).rejects.toThrow();
  });

  test('whose worker cannot start are an error, not a record', async () => {
    const launch = () => launchKernels([process.execPath, '-e', 'process.exit(1)']);
    await expect(run({ launch }).found).rejects.toThrow('The peer pytorch-kernels ended with exit code 1');
  });
});
