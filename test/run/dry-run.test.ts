import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { PRESETS } from '../../src/model/presets.ts';
import type { CellState } from '../../src/run/cell-states.ts';
import { dryRun } from '../../src/run/dry-run.ts';

const folder = mkdtempSync(join(tmpdir(), 'moabench-dry-run-'));
afterAll(() => rmSync(folder, { recursive: true }));

function dry(model: string, notes: string[] = []): Promise<readonly CellState[]> {
  const suitePath = join(folder, 'suite.yaml');
  const text = `version: 1\nname: dry\nmodel: { path: '${model}' }\nmethods: [{ id: dense, method: dense }]\n`;
  writeFileSync(suitePath, `${text}efficiency: { prefill: { lengths: [8192, 16384] } }\n`);
  return dryRun({ suitePath, resume: false, otherSuite: false, only: [], onNote: (note) => notes.push(note) });
}

test('lists the cells, and says which lengths are beyond the model', async () => {
  const notes: string[] = [];
  expect((await dry('dummy:tiny', notes)).map(({ id, status }) => `${status} ${id}`)).toEqual([
    'to do plan/dense',
    'to do prefill/8192/dense',
    'to do prefill/16384/dense',
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
