import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { recordsPath, runFolder } from '../../src/run/run-folder.ts';

const before = process.cwd();
const folder = mkdtempSync(join(tmpdir(), 'moabench-folders-'));
beforeAll(() => {
  process.chdir(folder);
  for (const [name, records] of [
    ['two-20261101-000000', '{}\n'],
    ['two-20261102-000000', '{}\n'],
    ['two-20261103-000000', ''],
    ['two-20261104-000000', null],
    ['two-more-20261105-000000', '{}\n'],
  ] as const) {
    mkdirSync(join('runs', name), { recursive: true });
    if (records !== null) writeFileSync(recordsPath(join('runs', name)), records);
  }
});
afterAll(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true });
});

test('--resume goes on with the newest folder of the suite that holds records', () => {
  expect(runFolder({ suiteName: 'two', resume: true })).toBe('runs/two-20261102-000000');
  expect(() => runFolder({ suiteName: 'three', resume: true })).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
});

test('--out refuses a folder with records and takes what a failed start left', () => {
  const out = (name: string) => runFolder({ suiteName: 'two', resume: false, out: join('runs', name) });
  expect(() => out('two-20261102-000000')).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  expect(out('two-20261103-000000')).toBe('runs/two-20261103-000000');
  expect(out('two-20261104-000000')).toBe('runs/two-20261104-000000');
  writeFileSync('file', '');
  expect(out('../file/run')).toBe('file/run'); // refused with one sentence when it is made
});
