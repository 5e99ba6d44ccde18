import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { scriptedKernels } from '../measure/kernels/scripted-kernels.ts';
import { moabench } from './tiny-suite.ts';

const folder = mkdtempSync(join(tmpdir(), 'moabench-bench-'));
afterAll(() => rmSync(folder, { recursive: true }));
const tiny = ['--model', 'dummy:tiny', '--threads', '1', '--tokens', '256'];

describe('benches of a model', () => {
  test('whole-step measures in several processes, and its record has machine, samples and ratios', async () => {
    const out = join(folder, 'whole-step.json');
    const run = await moabench(['bench', 'whole-step', ...tiny, '--rounds', '2', '--processes', '2', '--steps', '2', '--out', out]).ended;
    expect(run.code).toBe(0);
    expect(run.stdout).toMatch(/^cpu: 1 thread.*\nread ceiling .* TB\/s by process/);
    const record = JSON.parse(readFileSync(out, 'utf8'));
    expect(record).toMatchObject({
      version: 1,
      kind: 'whole-step',
      environment: { version: 1, backend: { name: 'cpu' } },
      model: 'dummy:tiny',
      dtype: 'f32',
      tokens: 256,
      steps: 2,
      density: 0.5,
    });
    expect(record.readCeilings).toHaveLength(2);
    expect(
      record.rows.map(({ id, graph, stepMs }: { id: string; graph: string; stepMs: number[][] }) => [id, graph, stepMs.flat().length]),
    ).toEqual([
      ['dense', 'on', 4],
      ['dense', 'off', 4],
      ['uniform, same batch', 'on', 4],
      ['uniform, same batch', 'off', 4],
    ]);
    expect(record.ratios.at(-1)).toMatchObject({ name: 'dense / uniform, same batch', processes: 2, rounds: 4 });
  });

  test('op-times prints its record as JSON, and nothing else on stdout', async () => {
    const run = await moabench(['bench', 'op-times', ...tiny, '--json']).ended;
    expect(JSON.parse(run.stdout)).toMatchObject({
      kind: 'op-times',
      parts: [{ id: 'prefill' }, { id: 'profile' }, { id: 'decode step, batch 1' }],
    });
  });

  test('a model that is not there is said, with exit code 2', async () => {
    const run = await moabench(['bench', 'profile-vs-prefill', '--model', 'no/model', '--tokens', '256']).ended;
    expect(run).toMatchObject({ code: 2, stderr: expect.stringContaining('no/model') });
  });
});

test('the optimizer is timed on a synthetic model, with proven gaps', async () => {
  const run = await moabench(['bench', 'optimizer', '--layers', '2', '--kv-heads', '2', '--json']).ended;
  const found = JSON.parse(run.stdout);
  expect(found).toMatchObject({ layers: 2, kvHeads: 2, rules: 48, budget: 0.5 });
  expect(found.points).toBeGreaterThan(0);
  expect(found.largestGap).toBeLessThanOrEqual(0.005);
});

describe('kernels beside their peers', () => {
  /** A Python that has torch, as far as moabench can tell: it looks for the module with -c, and is the scripted worker with -m. */
  const python = (name: string, code = ''): string => {
    const file = join(folder, name);
    const [node, , script = ''] = scriptedKernels(code);
    writeFileSync(`${file}.cjs`, script);
    writeFileSync(file, `#!/bin/sh\n[ "$1" = -c ] && exit 0\nexec ${node} ${file}.cjs\n`);
    chmodSync(file, 0o755);
    return file;
  };
  let good: string;
  beforeAll(() => {
    good = python('good');
  });
  const peers = (file: string, ...more: string[]) =>
    moabench(['bench', '--peers', '--python', file, '--only', 'add 8192', '--quick', '--shrink', '16', '--processes', '2', ...more]).ended;

  test('are timed in several workers; the record has machine, peer, checks, samples and intervals', async () => {
    const out = join(folder, 'kernels.json');
    const run = await peers(good, '--out', out);
    expect(run.code).toBe(0);
    expect(run.stdout).toContain('add 8192 x 4096 bf16');
    const record = JSON.parse(readFileSync(out, 'utf8'));
    expect(record).toMatchObject({
      version: 1,
      kind: 'kernels',
      environment: { backend: { name: 'cpu', description: 'cuda: H100, cuBLASLt' } },
      peer: { engine: 'scripted', python: good, clockReader: 'NVML', library: null },
      processes: 2,
      failures: [],
    });
    expect(record.cases).toHaveLength(1);
    expect(record.cases[0].arms.map(({ id, processes }: { id: string; processes: unknown[] }) => [id, processes.length])).toEqual([
      ['ours', 2],
      ['eager', 2],
    ]);
  });

  test('that fail are said, the rest is kept, and the exit code is 1', async () => {
    const out = join(folder, 'failed.json');
    const run = await peers(
      python('dies', `if (request.ask === 'time' && request.rounds[0].includes('eager')) process.exit(7);`),
      '--out',
      out,
    );
    expect(run.code).toBe(1);
    expect(run.stdout).toMatch(/FAILED rows add .* ended with exit code 7 in the middle of its work/);
    expect(JSON.parse(readFileSync(out, 'utf8'))).toMatchObject({ cases: [], ceilings: expect.arrayContaining([expect.anything()]) });
  });

  test('whose worker is of another version are refused in a sentence', async () => {
    const file = join(folder, 'newer');
    const hello = JSON.stringify({ hello: { protocol: 9, engine: 'e', versions: {}, device: { name: 'd' } } });
    writeFileSync(file, `#!/bin/sh\n[ "$1" = -c ] && exit 0\necho '${hello}'\ncat > /dev/null\n`);
    chmodSync(file, 0o755);
    const run = await peers(file);
    expect(run.stderr).toContain('Expected version 1 of the protocol from the peer pytorch-kernels but received 9');
    expect(run.code).toBe(2);
  });

  test('are not run whole on a cpu', async () => {
    const run = await moabench(['bench', '--peers', '--python', good]).ended;
    expect(run).toMatchObject({ code: 2, stderr: expect.stringContaining('Expected at least 8 for --shrink on the cpu but received 1') });
  });

  test('without a Python that has torch say how to get one', async () => {
    const run = await peers('/no/python3');
    expect(run.stderr).toMatch(
      /Expected a Python with torch for --python but received \/no\/python3: it does not run\n {2}hint: Install it/,
    );
  });

  test('refuse options that would be passed over', async () => {
    for (const [line, flag] of [
      ['bench --peers --tokens 64', '--tokens'],
      ['bench --only decode', '--only'],
      ['verify --tasks lines', '--tasks'],
      ['verify --model models/reference --repeat', '--repeat'],
    ] as const) {
      const run = await moabench(line.split(' ')).ended;
      expect(run, line).toMatchObject({ code: 2, stderr: expect.stringContaining(`Expected no ${flag}, as `) });
    }
  });
});
