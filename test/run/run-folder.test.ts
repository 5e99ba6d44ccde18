import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkRunFolder, originOf, recordedPath, recordsPath, runFolder } from '../../src/run/run-folder.ts';

const before = process.cwd();
const folder = mkdtempSync(join(tmpdir(), 'moabench-folders-'));

/** The first line of a run. */
function runLine(origin: string): string {
  const model = {
    name: 'm',
    weightsHash: 'w',
    layers: 1,
    heads: 1,
    kvHeads: 1,
    headDim: 8,
    parameters: null,
    weightDType: 'f32',
    kvDType: 'f32',
  };
  const backend = { name: 'cpu', description: 'cpu', threads: null };
  const suite = { name: 'two', hash: 'aaaaaaaa', path: 's.yaml' };
  const about = { kind: 'run', time: '2026-11-01T00:00:00Z', recordVersion: 2, runId: 'r', resumed: false, version: '0', command: 'c' };
  return `${JSON.stringify({ ...about, origin, suite, model, backend })}\n`;
}

beforeAll(() => {
  process.chdir(folder);
  for (const [name, records] of [
    ['two-20261101-000000', runLine(originOf('runs/two-20261101-000000'))],
    ['two-20261102-000000', runLine(originOf('runs/two-20261102-000000'))],
    ['two-20261103-000000', ''],
    ['two-20261104-000000', null],
    ['two-more-20261105-000000', runLine(originOf('runs/two-more-20261105-000000'))],
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

test('--resume takes no folder that was not made here: no link, no copy, no planted one', () => {
  const suiteName = 'planted';
  const mine = join('runs', 'planted-20261101-000000');
  const made = (name: string, origin: string): void => {
    mkdirSync(join('runs', name), { recursive: true });
    writeFileSync(recordsPath(join('runs', name)), runLine(origin));
  };
  made('planted-20261101-000000', originOf(mine));
  made('planted-20261102-000000', originOf(mine)); // a copy
  made('planted-20261103-000000', 'feedbeeffeedbeef');
  symlinkSync('planted-20261101-000000', join('runs', 'planted-20261104-000000'));
  mkdirSync(join('runs', 'planted-20261105-000000'));
  symlinkSync('../planted-20261101-000000/records.jsonl', recordsPath(join('runs', 'planted-20261105-000000')));
  expect(runFolder({ suiteName, resume: true })).toBe(mine);
});

test.each([
  ['plans', (path: string) => symlinkSync('/tmp', path)],
  ['profile', (path: string) => symlinkSync('/tmp', path)],
  ['charts', (path: string) => symlinkSync('/tmp', path)],
  ['csv', (path: string) => symlinkSync('/tmp', path)],
  ['csv', (path: string) => writeFileSync(path, '')],
  ['environment.json', (path: string) => symlinkSync('/etc/passwd', path)],
  ['records.jsonl.lock', (path: string) => symlinkSync('/etc/passwd', path)],
  ['suite.json', (path: string) => mkdirSync(path)],
])('a folder whose %s is not what it should be is refused', (name, plant) => {
  const path = mkdtempSync(join(folder, 'links-'));
  expect(() => checkRunFolder(path)).not.toThrow();
  plant(join(path, name));
  expect(() => checkRunFolder(path)).toThrow(expect.objectContaining({ code: 'INVALID_FILE', message: expect.stringContaining(name) }));
});

test('so is one with a link among its plans', () => {
  const path = mkdtempSync(join(folder, 'links-'));
  mkdirSync(join(path, 'plans'));
  writeFileSync(join(path, 'plans', 'a.json'), '{}');
  expect(() => checkRunFolder(path)).not.toThrow();
  symlinkSync('/etc/passwd', join(path, 'plans', 'b.json'));
  expect(() => checkRunFolder(path)).toThrow(expect.objectContaining({ message: expect.stringMatching(/b\.json but received a link/) }));
});

test('a release, which has compressed records in place of a log, is read and not gone on with', () => {
  const path = mkdtempSync(join(folder, 'release-'));
  writeFileSync(`${recordsPath(path)}.gz`, '');
  expect(recordedPath(path)).toBe(`${recordsPath(path)}.gz`);
  expect(() => runFolder({ suiteName: 'two', resume: false, out: path })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  expect(() => runFolder({ suiteName: 'two', resume: true, out: path })).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT', hint: expect.stringContaining(`gunzip ${recordsPath(path)}.gz`) }),
  );
  writeFileSync(recordsPath(path), '');
  expect(recordedPath(path)).toBe(recordsPath(path));
  expect(runFolder({ suiteName: 'two', resume: true, out: path })).toBe(path);
});

test('--out refuses a folder with records and takes what a failed start left', () => {
  const out = (name: string) => runFolder({ suiteName: 'two', resume: false, out: join('runs', name) });
  expect(() => out('two-20261102-000000')).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  expect(out('two-20261103-000000')).toBe('runs/two-20261103-000000');
  expect(out('two-20261104-000000')).toBe('runs/two-20261104-000000');
  writeFileSync('file', '');
  expect(out('../file/run')).toBe('file/run'); // refused with one sentence when it is made
});
