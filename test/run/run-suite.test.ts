import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { PRESETS } from '../../src/model/presets.ts';
import { recordsOf } from '../../src/results/record.ts';
import { readRecords } from '../../src/results/store.ts';
import { recordsPath } from '../../src/run/run-folder.ts';
import { type RunResult, runSuite } from '../../src/run/run-suite.ts';

const folder = mkdtempSync(join(tmpdir(), 'moabench-run-suite-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Trial {
  readonly model?: string;
  readonly context?: number;
  readonly resume?: boolean;
  readonly onNote?: (note: string) => void;
}

/** Runs a timing of a model and its control into `out`. */
function run(out: string, { model = 'dummy:tiny', context = 128, resume = false, onNote = () => {} }: Trial = {}): Promise<RunResult> {
  const suitePath = join(folder, `${out}.yaml`);
  const efficiency = `efficiency: { processes: 1, decode: { contexts: [${context}], newTokens: 2, segmentMs: 0, rounds: 2 } }`;
  writeFileSync(suitePath, `version: 1\nname: t\nmodel: { path: '${model}' }\nmethods: [{ id: dense, method: dense }]\n${efficiency}\n`);
  const signal = new AbortController().signal;
  return runSuite({ suitePath, out: join(folder, out), resume, only: [], command: 'test', signal, onProgress: () => {}, onNote });
}

test('a start that fails leaves no folder, so that the next one needs no other', async () => {
  await expect(run('typo', { model: 'models/nope' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  expect(existsSync(join(folder, 'typo'))).toBe(false);
  expect(await run('typo')).toMatchObject({ completed: 3, failed: [] });
});

test('of two that start at once in one folder, one runs; the other is refused and adds nothing', async () => {
  const ends = await Promise.allSettled([run('both'), run('both')]);
  expect(ends.map((end) => end.status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(recordsOf(readRecords(recordsPath(join(folder, 'both'))).records, 'run')).toHaveLength(1);
});

test('lengths beyond the positions of the model are told once, and run', async () => {
  const notes: string[] = [];
  const config = join(folder, 'config.json');
  writeFileSync(config, JSON.stringify({ ...PRESETS.tiny, max_position_embeddings: 128 }));
  expect(await run('long', { model: `dummy:${config}`, context: 192, onNote: (note) => notes.push(note) })).toMatchObject({ completed: 3 });
  expect(notes).toEqual([expect.stringMatching(/^Length 192 is beyond the 128 positions/)]);
});
