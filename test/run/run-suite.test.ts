import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { PRESETS } from '../../src/model/format/presets.ts';
import { readRecords } from '../../src/records/read-records.ts';
import { recordsOf } from '../../src/records/record.ts';
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
  const efficiency = `efficiency: { processes: 1, decode: { lengths: [${context}], newTokens: 2, segmentMs: 0, rounds: 2 } }`;
  writeFileSync(suitePath, `version: 1\nname: t\nmodel: { path: '${model}' }\nmethods: [{ id: dense, method: dense }]\n${efficiency}\n`);
  const signal = new AbortController().signal;
  return runSuite({
    suitePath,
    out: join(folder, out),
    resume,
    otherSuite: false,
    only: [],
    command: 'test',
    signal,
    onProgress: () => {},
    onNote,
  });
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

/** Every file of a folder with its content. */
function contents(path: string): Map<string, string> {
  const files = readdirSync(path, { withFileTypes: true, recursive: true }).filter((entry) => entry.isFile());
  return new Map(files.map((entry) => [join(entry.parentPath, entry.name), readFileSync(join(entry.parentPath, entry.name), 'utf8')]));
}

test('every measurement names its stretch; going on with nothing to do opens none and changes no file', async () => {
  const path = join(folder, 'idle');
  await run('idle');
  const { records } = readRecords(recordsPath(path));
  const [stretch, ...others] = recordsOf(records, 'stretch');
  expect(others).toEqual([]);
  for (const record of [...recordsOf(records, 'plan'), ...recordsOf(records, 'measurement')]) expect(record.stretch).toBe(stretch?.id);
  expect(records.at(-1)).toMatchObject({ kind: 'stretchEnd', stretch: stretch?.id, substitutions: [] });
  expect(JSON.parse(readFileSync(join(path, 'environment.json'), 'utf8'))).toEqual(stretch?.environment);
  const before = contents(path);
  expect(await run('idle', { resume: true })).toMatchObject({ completed: 3 });
  expect(contents(path)).toEqual(before);
});
