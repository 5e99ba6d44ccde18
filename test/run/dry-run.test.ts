import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { dryRunText } from '../../src/cli/dry-run-text.ts';
import { PRESETS } from '../../src/model/format/presets.ts';
import { type DryRun, dryRun } from '../../src/run/dry-run.ts';

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
  expect(estimate.seconds).toBeGreaterThan(0);
  // A cache of 16384 tokens: keys and values of 2 layers with 2 heads of 16 f32 each.
  const cache = 2 * 2 * 2 * 16 * 4 * 16384;
  expect(estimate.peakBytes).toBeGreaterThan(cache);
  expect(estimate.peakBytes).toBeLessThan(2 * cache);
  expect(dryRunText({ cells, estimate })).toMatch(/^5 cells: 5 to do\nAbout \d.*of memory at most.*on disk\.$/m);
});
