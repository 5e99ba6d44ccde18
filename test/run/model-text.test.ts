import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { RunRecord } from '../../src/records/record.ts';
import { dryRun } from '../../src/run/dry-run.ts';
import { modelText, templateDate } from '../../src/run/model-text.ts';
import { expandCells } from '../../src/suite/cells.ts';
import { suiteSchema } from '../../src/suite/schema.ts';
import { REFERENCE } from '../model/golden-model.ts';

const folder = mkdtempSync(join(tmpdir(), 'moabench-text-'));
const PARTS = { version: 1, name: 'text', methods: [{ id: 'dense', method: 'dense' }] };
const QUALITY = { quality: { retrieval: { lengths: [512], samples: 1 } } };
const EFFICIENCY = { efficiency: { prefill: { lengths: [512] } } };

function dry(model: object, parts: object) {
  const suitePath = join(folder, 'suite.yaml');
  writeFileSync(suitePath, JSON.stringify({ ...PARTS, model, ...parts }));
  return dryRun({ suitePath, resume: false, only: [], onNote: () => {} });
}

test('a dry run refuses a model without text for prompts, where prompts are made', async () => {
  await expect(dry({ path: 'dummy:tiny' }, QUALITY)).rejects.toMatchObject({
    code: 'UNSUPPORTED',
    message: expect.stringContaining('tokenizer.json for the model dummy:tiny'),
  });
  expect((await dry({ path: 'dummy:tiny' }, EFFICIENCY)).cells).toHaveLength(3);
});

test('a dry run refuses template variables that the template does not read', async () => {
  const model = (templateVariables: object) => ({ path: `dummy:${REFERENCE}`, templateVariables });
  await expect(dry(model({ enable_thinking: false }), QUALITY)).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining('enable_thinking'),
  });
  expect((await dry(model({}), QUALITY)).cells).toHaveLength(2);
});

test('a suite hands on its template variables and the date of the run', () => {
  const suite = suiteSchema.parse({ ...PARTS, ...EFFICIENCY, model: { path: 'm', templateVariables: { enable_thinking: false } } });
  expect(modelText(suite, expandCells(suite), '2026-11-28')).toEqual({
    text: 'if there',
    template: { date: '2026-11-28', variables: { enable_thinking: false } },
  });
});

test('a run that is gone on with keeps its date', () => {
  const run = (date: string | null) => ({ kind: 'run', model: { template: { hash: '0', usesDate: date !== null, date, variables: {} } } });
  const records = [run('2026-01-02'), run(null)] as unknown as readonly RunRecord[];
  expect(templateDate(records)).toBe('2026-01-02');
  expect(templateDate([])).toMatch(/^\d{4}-\d\d-\d\d$/);
});
