import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { beforeAll, expect, test } from 'vitest';
import { moabench } from './tiny-suite.ts';

const folder = mkdtempSync(join(tmpdir(), 'release-'));
const run = join(folder, 'run');
const target = join(folder, 'release');
const log = join(run, 'records.jsonl');
let released: ReturnType<typeof release>;

function release(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/release-run.mjs', ...args], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

/** The text of a report with the name that a release's log has. */
const ofRelease = (text: string): string => text.replaceAll(/records\.jsonl(?!\.gz)/g, 'records.jsonl.gz');

/** A run folder: a released run with its log as a run leaves it, and what a run leaves beside it. */
beforeAll(() => {
  const quick = readdirSync('reports/quick').at(-1) ?? '';
  cpSync(join('reports/quick', quick), run, { recursive: true });
  writeFileSync(log, gunzipSync(readFileSync(`${log}.gz`)));
  rmSync(`${log}.gz`);
  writeFileSync(join(run, 'plans/moa-50.front.json'), '{}');
  released = release(run, '--to', target);
});

test('a release has the records, compressed, and what they do not say; nothing that is made from them but report.md', () => {
  expect(released).toMatchObject({ status: 0, stderr: '', stdout: expect.stringMatching(/cells completed, 0 failed\n$/) });
  expect(readdirSync(target).toSorted()).toEqual(['environment.json', 'plans', 'records.jsonl.gz', 'report.md', 'suite.json']);
  expect(readdirSync(join(target, 'plans')).toSorted()).toEqual(['dense.json', 'moa-50.json', 'uniform-50.json']);
  expect(gunzipSync(readFileSync(join(target, 'records.jsonl.gz')))).toEqual(readFileSync(log));
});

test('moabench report makes the same report of the release as of the run', async () => {
  const again = await moabench(['report', target]).ended;
  expect(again).toMatchObject({ code: 0, stderr: '' });
  for (const file of ['summary.json', 'report.md', 'report.html']) {
    expect(ofRelease(readFileSync(join(target, file), 'utf8')), file).toBe(ofRelease(readFileSync(join(run, file), 'utf8')));
  }
});

test('records that were cut off are told, and a release is not gone on with', async () => {
  const cut = join(folder, 'cut');
  cpSync(target, cut, { recursive: true });
  writeFileSync(join(cut, 'records.jsonl.gz'), readFileSync(join(target, 'records.jsonl.gz')).subarray(0, 5000));
  expect(await moabench(['report', cut]).ended).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringContaining('Expected records that gzip compressed in'),
  });
  expect(await moabench(['run', 'suites/quick.yaml', '--out', target, '--resume']).ended).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('gunzip'),
  });
});

test('a folder that is there already is not written over', () => {
  expect(release(run, '--to', target)).toMatchObject({ status: 2, stdout: '', stderr: expect.stringContaining('there already') });
  expect(release()).toMatchObject({ status: 2, stderr: expect.stringContaining('one run folder') });
});
