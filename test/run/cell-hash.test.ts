import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadPlan } from '../../src/plan/file.ts';
import { recordsOf } from '../../src/results/record.ts';
import { readRecords } from '../../src/results/store.ts';
import { cellHash } from '../../src/run/cell-hash.ts';
import { type Cell, expandCells } from '../../src/suite/cells.ts';
import { type Suite, suiteSchema } from '../../src/suite/schema.ts';

const RELEASED = join(import.meta.dirname, '../../reports/reference');
const folder = join(RELEASED, readdirSync(RELEASED).sort()[0] ?? '');
const suite = suiteSchema.parse(JSON.parse(readFileSync(join(folder, 'suite.json'), 'utf8')));
const { records } = readRecords(join(folder, 'records.jsonl'));
const [run] = recordsOf(records, 'run');
const identity = { weightsHash: run?.model.weightsHash ?? '', device: run?.backend.description ?? '' };
const cells = expandCells(suite).filter((cell): cell is Exclude<Cell, { kind: 'plan' }> => cell.kind !== 'plan');

function hashOf(cell: Exclude<Cell, { kind: 'plan' }>, changed: Suite = suite): string {
  return cellHash(cell, changed, identity, loadPlan(join(folder, 'plans', `${cell.method}.json`)));
}

describe('addresses of cells', () => {
  test('a released run keeps those that it was recorded under', () => {
    const recorded = new Map(recordsOf(records, 'outcome').map((outcome) => [outcome.cellId, outcome.cell]));
    const completed = cells.filter((cell) => recorded.has(cell.id));
    expect(completed.length).toBeGreaterThan(100);
    expect(completed.map((cell) => hashOf(cell))).toEqual(completed.map((cell) => recorded.get(cell.id)));
  });

  test.each([
    ['activations', { ...suite, backend: { ...suite.backend, activations: 'bf16' } }, true],
    ['weights stored otherwise', { ...suite, model: { ...suite.model, weightDType: 'f32' } }, true],
    ['steps without recordings', { ...suite, backend: { ...suite.backend, graph: 'off' } }, false],
  ] as const)('%s are part of them', (_, changed, changesScores) => {
    for (const [kind, changes] of [
      ['retrieval', changesScores],
      ['decode', true],
    ] as const) {
      const cell = cells.find((c) => c.kind === kind);
      expect(cell).toBeDefined();
      if (cell !== undefined) expect(hashOf(cell, changed) !== hashOf(cell)).toBe(changes);
    }
  });
});
