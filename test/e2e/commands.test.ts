import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadPlan } from '../../src/plan/file.ts';
import { moabench } from './tiny-suite.ts';

const folder = mkdtempSync(join(tmpdir(), 'moabench-commands-'));
afterAll(() => rmSync(folder, { recursive: true }));
const published = 'test/fixtures/plans/gradientai--Llama-3-8B-Instruct-262k.moa.json';

describe('plan', () => {
  const imported = join(folder, 'llama.json');

  test('convert imports a published plan for grouped heads and prints the tax', async () => {
    const run = await moabench(['plan', 'convert', published, '--kv-heads', '8', '--out', imported]).ended;
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(run.stdout).toContain('136 of 256 groups had different rules');
    expect(loadPlan(imported).model).toMatchObject({ layers: 32, heads: 32, kvHeads: 8 });
  });

  test('convert exports what it imported, per query head', async () => {
    const out = join(folder, 'exported.json');
    expect(await moabench(['plan', 'convert', imported, '--to', 'published', '--out', out]).ended).toMatchObject({ code: 0 });
    const { alphas, betas } = JSON.parse(readFileSync(out, 'utf8'));
    expect([alphas.length, alphas[0].length, betas.length, betas[0].length]).toEqual([32, 32, 32, 32]);
  });

  test('inspect draws the span map, and writes it as SVG', async () => {
    const run = await moabench(['plan', 'inspect', imported, '--lengths', '4096', '8192']).ended;
    expect(run.code).toBe(0);
    expect(run.stdout).toMatch(/N = 4096 .*N = 8192/);
    const svg = join(folder, 'plan.svg');
    expect(await moabench(['plan', 'inspect', imported, '--svg', svg]).ended).toMatchObject({ code: 0 });
    expect(readFileSync(svg, 'utf8')).toMatch(/^<svg/);
  });

  test('lint says that a plan does not fit a model, with exit code 1', async () => {
    const run = await moabench(['plan', 'lint', imported, '--model', 'models/reference', '--json']).ended;
    expect(run.code).toBe(1);
    expect(JSON.parse(run.stdout)[0]).toMatchObject({ severity: 'error', code: 'model-mismatch' });
  });

  test('a file that is no plan is named, with exit code 2', async () => {
    const bad = join(folder, 'bad.json');
    writeFileSync(bad, '{"format":"moabench-plan"}');
    expect(await moabench(['plan', 'inspect', bad]).ended).toMatchObject({ code: 2, stderr: expect.stringContaining(bad) });
  });
});

describe('arguments that are wrong', () => {
  test.each(
    [
      'plan inspect',
      'plan inspect --bogus x',
      'plan inspect p --lengths abc',
      'plan inspect a b c',
      'plan lint',
      'plan convert a',
      'data generate',
      'data list --bogus',
      'run suites',
      'plan inspect .',
      'verify --bogus',
    ].map((line) => [line]),
  )('%s: one clear error and exit code 2', async (line) => {
    const run = await moabench(line.split(' ')).ended;
    expect(run).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/^error: /) });
    expect(run.stderr).not.toMatch(/^ +at /m);
  });

  test('--help names the exit codes that there are', async () => {
    const { stdout } = await moabench(['--help']).ended;
    expect(stdout).toContain(
      'Exit codes: 0 all completed, 1 some failed, 2 bad suite or arguments, 3 regression, 4 undecided, 5 not comparable, 130 aborted.',
    );
  });
});

describe('ends early without a stack trace', () => {
  test('Ctrl-C in bench', async () => {
    const { child, ended } = moabench(['bench', '--tokens', '8192']);
    child.stderr?.once('data', () => child.kill('SIGINT'));
    expect(await ended).toMatchObject({ code: 130, stdout: '', stderr: expect.stringMatching(/\nerror: Stopped on request\n$/) });
  });

  test('a reader that takes the first sample and goes', async () => {
    const { child, ended } = moabench(['data', 'generate', '--task', 'lines', '--length', '512', '--count', '300']);
    child.stdout?.once('data', () => child.stdout?.destroy());
    expect(await ended).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('other commands', () => {
  test('doctor lists the backends and why cuda is missing', async () => {
    const run = await moabench(['doctor', '--json']).ended;
    const report = JSON.parse(run.stdout);
    expect(report.backends).toMatchObject([
      { name: 'cpu', available: true },
      { name: 'cuda', available: false, reason: expect.any(String) },
    ]);
    expect(report.tfjs.flavour).toMatch(/tfjs/);
  });

  test('verify passes an op of the cpu backend, and refuses an op that does not exist', async () => {
    const run = await moabench(['verify', '--op', 'argmax', '--json']).ended;
    expect(run.code).toBe(0);
    const report = JSON.parse(run.stdout);
    expect(report).toMatchObject({ failed: 0, passed: report.cases.length });
    expect(report.skipped[0]).toMatchObject({ op: 'argmax', reason: 'cpu has no 16-bit activations' });
    const text = await moabench(['verify', '--op', 'argmax', '--repeat']).ended;
    expect(text).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/skip \d+ cases: cpu has no 16-bit activations\n\d+ passed, 0 failed, \d+ skipped/),
    });
    expect(await moabench(['verify', '--op', 'nonsense']).ended).toMatchObject({ code: 2 });
  });

  test('bench prints rates and ratios with intervals', async () => {
    const run = await moabench(['bench', '--rounds', '2', '--tokens', '640', '--json']).ended;
    expect(run.code).toBe(0);
    const report = JSON.parse(run.stdout);
    expect(report).toMatchObject({ timer: 'stream thread clock', ceilingMiB: report.evictedMiB });
    expect(report.ratios.map((ratio: { name: string }) => ratio.name)).toEqual([
      'decode: skewed / uniform spans at equal bytes',
      'decode: uniform 50% / dense',
      'prefill: skewed / dense',
      'prefill: uniform 50% / dense',
      'decode dense: share of the read ceiling',
      'decode uniform: share of the read ceiling',
      'decode skewed: share of the read ceiling',
      'gemm decode: share of the read ceiling',
    ]);
    expect(report.results[0]).toMatchObject({ id: 'read ceiling', shareOfReadCeiling: expect.closeTo(1, 12) });
    for (const ratio of report.ratios) expect(ratio).toMatchObject({ low: null, high: null, rounds: 2 }); // too few
    for (const result of report.results) expect(result.samplesMs).toHaveLength(2);
  });

  test('a bundled suite is found by its name in any folder, with its model; a path that is not there has a hint', async () => {
    const listed = await moabench(['suites', '--json'], folder).ended;
    expect(JSON.parse(listed.stdout).map(({ name }: { name: string }) => name)).toContain('quick');
    const dry = await moabench(['run', 'quick', '--only', 'plan/uniform-50', '--dry-run'], folder).ended;
    expect(dry).toMatchObject({ code: 0, stdout: expect.stringMatching(/^to do +plan\/uniform-50\n1 cell/) });
    const missing = await moabench(['run', 'suites/quick.yaml'], folder).ended;
    expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining('`moabench run quick`') });
  });

  test('data generate writes samples of the length that was asked for, in any folder', async () => {
    const run = await moabench(['data', 'generate', '--task', 'lines', '--length', '600', '--count', '2'], folder).ended;
    const samples = run.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(samples).toHaveLength(2);
    for (const { promptTokens } of samples) expect(promptTokens).toBeGreaterThanOrEqual(588);
    for (const { promptTokens } of samples) expect(promptTokens).toBeLessThanOrEqual(600);
  });

  test('--help has examples; a misspelt command gets a suggestion and exit code 2', async () => {
    expect(await moabench(['run', '--help']).ended).toMatchObject({ code: 0, stdout: expect.stringContaining('Examples:') });
    expect(await moabench(['plam']).ended).toMatchObject({ code: 2, stderr: expect.stringContaining('Did you mean plan?') });
  });
});
