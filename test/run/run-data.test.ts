import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { readRecords } from '../../src/records/read-records.ts';
import { recordsOf } from '../../src/records/record.ts';
import { dryRun } from '../../src/run/dry-run.ts';
import { recordsPath } from '../../src/run/run-folder.ts';
import { type RunResult, runSuite } from '../../src/run/run-suite.ts';

const MODEL = fileURLToPath(new URL('../../models/reference', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'moabench-run-data-'));
afterAll(() => rmSync(folder, { recursive: true }));

const item = { input: '', context: 'def f(x):\n', answers: ['    return x'], length: 3, dataset: 'lcc', language: 'code', _id: 'a' };

/** A suite of one LongBench condition with two methods; `lines` is its file. */
function suiteOf(name: string, lines: readonly object[]): string {
  mkdirSync(join(folder, name));
  writeFileSync(join(folder, name, 'lcc.jsonl'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const path = join(folder, name, 'suite.yaml');
  const methods = '[{ id: dense, method: dense }, { id: half, method: streaming, density: 0.5 }]';
  const quality = '{ longbench: { tasks: [lcc], source: { kind: longbench, folder: . }, length: 256, samples: 5 } }';
  writeFileSync(path, `version: 1\nname: t\nmodel: { path: '${MODEL}' }\nmethods: ${methods}\nquality: ${quality}\n`);
  return path;
}
function run(name: string, suitePath: string, { resume = false, notes = [] as string[] } = {}): Promise<RunResult> {
  const signal = new AbortController().signal;
  const onNote = (note: string): void => void notes.push(note);
  return runSuite({ suitePath, out: join(folder, name, 'run'), resume, only: [], command: 'test', signal, onProgress: () => {}, onNote });
}

test('fewer samples than asked for: run, told in the terminal, recorded once, and not whole', async () => {
  const suite = suiteOf('short', [item, { ...item, _id: 'b' }]);
  const notes: string[] = [];
  const result = await run('short', suite, { notes });
  const sentence = 'lcc.jsonl has 2 of the 5 samples asked for (lcc, length 256).';
  expect(result).toMatchObject({ completed: 4, failed: [], short: [sentence] });
  expect(notes).toContain(sentence);
  expect(await run('short', suite, { resume: true })).toMatchObject({ short: [sentence] });
  const { records } = readRecords(recordsPath(join(folder, 'short', 'run')));
  expect(recordsOf(records, 'data')).toMatchObject([{ task: 'lcc', asked: 5, usable: 2 }]);
  expect(recordsOf(records, 'sample').map(({ promptTokens }) => promptTokens <= 256 - 64)).toEqual([true, true, true, true]);
});

test('no samples, or a bad line: refused before anything is made, and in a dry run', async () => {
  for (const [name, lines] of [
    ['empty', []],
    ['bad', [item, { ...item, answers: 7, _id: 'b' }]],
  ] as const) {
    const suitePath = suiteOf(name, lines);
    await expect(run(name, suitePath)).rejects.toMatchObject({ code: 'INVALID_FILE', message: expect.stringContaining('lcc.jsonl') });
    expect(existsSync(join(folder, name, 'run'))).toBe(false);
    await expect(dryRun({ suitePath, resume: false, only: [], onNote: () => {} })).rejects.toMatchObject({ code: 'INVALID_FILE' });
  }
});
