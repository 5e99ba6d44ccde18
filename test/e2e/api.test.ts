import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compressModel, createBackend, densityAt, loadModel, runAndReport, spansAt } from '../../src/index.ts';

test('a program compresses a model within its budget, and leaves no files', async () => {
  const backend = await createBackend({ name: 'cpu' });
  const model = await loadModel({ path: 'bundled:reference', backend });
  const before = readdirSync(tmpdir());
  const made = await compressModel(model, {
    methods: [
      { id: 'half', method: 'streaming', density: 0.5 },
      { id: 'moa', method: 'moa', density: 0.5 },
    ],
    compress: {
      calibration: { tasks: ['lines'], samplesPerLength: 1, answerTokens: 16 },
      profileLengths: [512],
      constrainLengths: [512],
      validate: { length: 640, samples: 1 },
    },
  });
  const [half, moa] = made.map(({ plan }) => plan);
  if (half === undefined || moa === undefined) throw new Error('Expected two plans');
  expect([half.name, moa.name]).toEqual(['half', 'moa']);
  expect([...spansAt(half, 512)]).toEqual(new Array(model.config.layers * model.config.kvHeads).fill(256));
  expect(densityAt(moa, 512)).toBeLessThanOrEqual(0.5);
  expect(new Set(spansAt(moa, 512)).size).toBeGreaterThan(1);
  expect(made.map(({ front }) => front === null)).toEqual([true, false]);
  expect(readdirSync(tmpdir())).toEqual(before);
  model.dispose();
  await backend.dispose();
});

test('a program runs a suite and has its report, with nothing but its path', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'moabench-api-'));
  const suite = join(folder, 'suite.yaml');
  const efficiency = 'efficiency: { processes: 1, decode: { lengths: [128], newTokens: 2, segmentMs: 0, rounds: 6 } }';
  writeFileSync(suite, `version: 1\nname: t\nmodel: { path: "dummy:tiny" }\nmethods: [{ id: dense, method: dense }]\n${efficiency}\n`);
  const out = join(folder, 'out');
  const run = await runAndReport({ suite, out, only: ['decode/*'] });
  expect(run).toMatchObject({ folder: out, failed: [], skipped: [], short: [] });
  expect(run.text).toContain('Decode speed');
  expect(JSON.parse(readFileSync(join(out, 'summary.json'), 'utf8'))).toEqual(JSON.parse(JSON.stringify(run.summary)));
  expect(existsSync(join(out, 'report.html'))).toBe(true);
  await expect(runAndReport({ suite, out })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
});
