import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { planProblem } from '../../src/run/plan-record.ts';
import { readRun } from '../../src/run/read-run.ts';
import { recordsPath } from '../../src/run/run-folder.ts';
import { writeRunReport } from '../../src/run/write-report.ts';
import { selectRecords } from '../../src/summary/selection.ts';
import { summarize } from '../../src/summary/summarize.ts';

test('a folder whose run never began is said to hold none, whatever else it lacks', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'moabench-report-'));
  writeFileSync(recordsPath(folder), '');
  await expect(writeRunReport(folder)).rejects.toMatchObject({ code: 'INVALID_FILE', message: expect.stringContaining('a run record') });
  rmSync(folder, { recursive: true });
});

test('a released run of version 1 is read, and what it does not say about code and machine is untested', () => {
  const released = join(import.meta.dirname, '../../reports/cuda-llama-3-8b');
  const folder = join(released, readdirSync(released)[0] ?? '');
  const { records, run, suite } = readRun(folder);
  const summary = summarize({ records, suite });
  expect(summary.cells).toMatchObject({ completed: 33, failed: [], skipped: [] });
  const untested = summary.checks.filter(({ status }) => status === 'untested').map(({ id }) => id);
  expect(untested).toEqual(expect.arrayContaining(['quiet-machine', 'kernels-as-meant', 'clean-code']));
  for (const plan of selectRecords(records, suite).plans) expect(planProblem(plan, run.model)).toBeNull();
});

test('a folder of another making is not read or written through its links', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'moabench-report-'));
  writeFileSync(recordsPath(folder), '');
  symlinkSync('/etc', join(folder, 'charts'));
  await expect(writeRunReport(folder)).rejects.toMatchObject({ code: 'INVALID_FILE', message: expect.stringContaining('charts') });
  rmSync(folder, { recursive: true });
});
