import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { RunRecord } from '../../src/records/record.ts';
import { comparisonSchema } from '../../src/summary/compare/comparison.ts';
import { editing, sideInput } from '../summary/compare/two-runs.ts';
import { moabench } from './tiny-suite.ts';

const folder = mkdtempSync(join(tmpdir(), 'moabench-compare-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A run folder on disk. */
function runFolder(name: string, edit?: (record: RunRecord) => RunRecord | null): string {
  const path = join(folder, name);
  const { records, suite } = sideInput(path, edit === undefined ? {} : { edit });
  mkdirSync(path);
  writeFileSync(join(path, 'records.jsonl'), records.map((record) => `${JSON.stringify(record)}\n`).join(''));
  writeFileSync(join(path, 'suite.json'), JSON.stringify(suite));
  return path;
}

const compare = (...args: string[]) => moabench(['compare', ...args]).ended;
const main = runFolder('main');

describe('compare', () => {
  test('exits with 0 for equal runs; --json is a comparison of the stated version', async () => {
    const run = await compare(main, runFolder('equal'), '--json');
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(comparisonSchema.parse(JSON.parse(run.stdout))).toMatchObject({ format: 'moabench-comparison', version: 1, verdict: 'same' });
  });

  test('exits with 3 for a regression, and writes Markdown and a page', async () => {
    const slower = runFolder(
      'slower',
      editing('measurement', (m) => ({ ...m, samplesMs: m.samplesMs.map((ms) => 1.3 * ms) }), 'moa-50'),
    );
    const [markdown, page] = [join(folder, 'c.md'), join(folder, 'c.html')];
    const run = await compare(main, slower, '--markdown', markdown, '--html', page);
    expect(run).toMatchObject({
      code: 3,
      stderr: '',
      stdout: expect.stringMatching(/^Regression: HEAD is worse than BASE in 6 of 96 comparisons\./),
    });
    expect(readFileSync(markdown, 'utf8')).toMatch(/^# Regression/);
    expect(readFileSync(page, 'utf8')).toMatch(/^<!doctype html>/);
  });

  test('exits with 4 for what is undecided, and says how it can be decided', async () => {
    const two = runFolder(
      'two-processes',
      editing('measurement', (m) => (m.process < 2 ? m : null)),
    );
    const run = await compare(main, two);
    expect(run).toMatchObject({ code: 4, stderr: '', stdout: expect.stringContaining('More processes (efficiency.processes)') });
  });

  test('exits with 5 for runs of two models, in one sentence', async () => {
    const other = runFolder(
      'other-model',
      editing('run', (run) => ({ ...run, model: { ...run.model, weightsHash: 'beefbeef' } })),
    );
    const run = await compare(main, other);
    expect(run).toMatchObject({
      code: 5,
      stderr: '',
      stdout: expect.stringMatching(/^Not comparable: another model, the weights differ\.\n/),
    });
  });

  test.each([
    ['a folder that is not there', [main, join(folder, 'none')], 'Expected a run folder (with records.jsonl) for the folder but received'],
    ['a margin that is no share', [main, main, '--margin', '5'], 'Expected a share between 0 and 1, such as 0.05, but received 5.'],
    ['a renaming without =', [main, main, '--map', 'moa-50'], 'Expected base=head'],
    [
      'a renaming of a method that is not there',
      [main, main, '--map', 'mao=moa-50'],
      'Expected a method of BASE (dense, uniform-50, moa-50)',
    ],
  ])('exits with 2 for %s', async (_, args, message) => {
    const run = await compare(...args);
    expect(run).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
    expect(run.stderr).not.toContain('    at ');
  });

  test('exits with 1 for a page that cannot be written, in one sentence', async () => {
    const run = await compare(main, main, '--html', folder);
    expect(run).toMatchObject({ code: 1, stderr: expect.stringContaining(folder) });
    expect(run.stderr).not.toContain('    at ');
  });

  test('reads released runs of other commits', async () => {
    const released = 'reports/quick/2026-11-28-2107831d';
    const run = await compare(released, released, '--json');
    expect(run.stderr).toBe('');
    const { quality, notes } = comparisonSchema.parse(JSON.parse(run.stdout));
    expect(quality.map((row) => row.verdict)).toEqual(Array.from({ length: 9 }, () => 'same'));
    expect(notes).toContain('Both folders hold the same run.');
  });
});
