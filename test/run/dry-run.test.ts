import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dryRunText } from '../../src/cli/dry-run-text.ts';
import { PRESETS } from '../../src/model/format/presets.ts';
import { type DryRun, dryRun } from '../../src/run/dry-run.ts';
import { recordsPath } from '../../src/run/run-folder.ts';
import { runSuite } from '../../src/run/run-suite.ts';

const folder = mkdtempSync(join(tmpdir(), 'moabench-dry-run-'));
afterAll(() => rmSync(folder, { recursive: true }));

function dry(model: string, notes: string[] = []): Promise<DryRun> {
  const suitePath = join(folder, 'suite.yaml');
  const text = `version: 1\nname: dry\nmodel: { path: '${model}' }\nmethods: [{ id: dense, method: dense }]\n`;
  writeFileSync(suitePath, `${text}efficiency: { prefill: { lengths: [8192, 16384] } }\n`);
  return dryRun({ suitePath, resume: false, otherSuite: false, only: [], onNote: (note) => notes.push(note) });
}

test('lists the cells, and says which lengths are beyond the model', async () => {
  const notes: string[] = [];
  expect((await dry('dummy:tiny', notes)).cells.map(({ id, status }) => `${status} ${id}`)).toEqual([
    'to do plan/dense',
    'to do prefill/8192/dense',
    'to do prefill/8192/dense+control',
    'to do prefill/16384/dense',
    'to do prefill/16384/dense+control',
  ]);
  expect(notes).toEqual([expect.stringMatching(/^Length 16384 is beyond the 8192 positions/)]);
});

test('refuses a model, a preset or weights that are not there, as a run does', async () => {
  await expect(dry('models/nope')).rejects.toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('models/nope') });
  await expect(dry('dummy:nope')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringContaining('nope') });
  const empty = join(folder, 'no-weights');
  mkdirSync(empty);
  writeFileSync(join(empty, 'config.json'), JSON.stringify(PRESETS.tiny));
  await expect(dry(empty)).rejects.toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('model.safetensors') });
});

test('says about how long it takes, how much memory and disk, and how that was found', async () => {
  const { cells, estimate } = await dry('dummy:tiny');
  expect(estimate.basis).toEqual([
    expect.stringMatching(/^Time of 5 cells that did not run here yet: .*GFLOP\/s for 256 rows/),
    expect.stringMatching(/^Memory: weights, the largest cache/),
    expect.stringMatching(/^Disk: records/),
  ]);
  for (const value of [estimate.seconds, estimate.peakBytes, estimate.diskBytes]) expect(Number.isFinite(value)).toBe(true);
  expect(estimate.seconds).toBeGreaterThan(0);
  // A cache of 16384 tokens: keys and values of 2 layers with 2 heads of 16 f32 each.
  const cache = 2 * 2 * 2 * 16 * 4 * 16384;
  expect(estimate.peakBytes).toBeGreaterThan(cache);
  expect(estimate.peakBytes).toBeLessThan(2 * cache);
  expect(dryRunText({ cells, estimate })).toMatch(/^5 cells: 5 to do\nAbout \d.*of memory at most.*on disk\.$/m);
});

describe('of timings, with --resume', () => {
  const suitePath = join(folder, 'timings.yaml');
  const out = join(folder, 'timings');
  const options = { suitePath, out, otherSuite: false, only: [], onNote: () => {} };
  const asking = (processes: number): void => {
    const efficiency = `{ processes: ${processes}, decode: { lengths: [128], newTokens: 2, segmentMs: 0, rounds: 2 } }`;
    writeFileSync(
      suitePath,
      `version: 1\nname: t\nmodel: { path: 'dummy:tiny' }\nmethods: [{ id: dense, method: dense }]\nefficiency: ${efficiency}\n`,
    );
  };
  const lines = async (): Promise<string[]> => dryRunText(await dryRun({ ...options, resume: true })).split('\n');
  const done = ['done     plan/dense', 'done     decode/128x1/dense', 'done     decode/128x1/dense+control', '3 cells: 3 done'];
  const cut = (start: string): void => {
    const kept = readFileSync(recordsPath(out), 'utf8').split('\n');
    const at = kept.findLastIndex((line) => line.startsWith(start));
    writeFileSync(recordsPath(out), kept.toSpliced(at, 1).join('\n'));
  };
  beforeAll(async () => {
    asking(1);
    const signal = new AbortController().signal;
    await runSuite({ ...options, resume: false, command: 'test', signal, onProgress: () => {} });
  });

  test('says in how many of the processes that are asked for now each cell is timed', async () => {
    expect(await lines()).toEqual(done);
    asking(3);
    expect((await lines()).slice(0, 4)).toEqual([
      'done     plan/dense',
      'partial  decode/128x1/dense: is timed in 1 of 3 processes',
      'partial  decode/128x1/dense+control: is timed in 1 of 3 processes',
      '3 cells: 1 done, 2 partial',
    ]);
    asking(1);
    expect(await lines()).toEqual(done);
  });

  test('takes as long as it took before, and says so', async () => {
    asking(3);
    const { estimate } = await dryRun({ ...options, resume: true });
    expect(Number.isFinite(estimate.seconds)).toBe(true);
    expect(estimate.basis[0]).toBe('Time of 2 cells: what they took when they last ran here.');
    asking(1);
  });

  test('what every process timed is done, also where the run was stopped before it said so', async () => {
    cut('{"kind":"outcome"');
    expect(await lines()).toEqual(done);
  });

  test('a measurement that is lost makes its whole group run again', async () => {
    cut('{"kind":"measurement"');
    expect((await lines()).slice(1, 3)).toEqual([
      'stale    decode/128x1/dense: is timed again beside decode/128x1/dense+control',
      'to do    decode/128x1/dense+control',
    ]);
  });
});
