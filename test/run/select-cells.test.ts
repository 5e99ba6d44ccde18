import { expect, test } from 'vitest';
import { MoaError } from '../../src/core/errors.ts';
import { selectCells } from '../../src/run/select-cells.ts';
import { expandCells } from '../../src/suite/cells.ts';
import { loadSuite } from '../../src/suite/load.ts';

const cells = expandCells(loadSuite('suites/quick.yaml').suite);
const ids = (...only: string[]) => selectCells(cells, only).map((cell) => cell.id);

test('without patterns all cells are chosen', () => {
  expect(selectCells(cells, [])).toEqual(cells);
});

test('a pattern takes the plans that its cells need along', () => {
  expect(ids('retrieval/lines/1024/moa-50')).toEqual(['plan/moa-50', 'retrieval/lines/1024/moa-50']);
  expect(ids('retrieval/*/2048/*')).toEqual([
    'plan/dense',
    'plan/uniform-50',
    'plan/moa-50',
    'retrieval/lines/2048/dense',
    'retrieval/lines/2048/uniform-50',
    'retrieval/lines/2048/moa-50',
  ]);
});

test('kinds and methods are patterns too; dots and brackets are not special', () => {
  expect(new Set(selectCells(cells, ['prefill']).map((cell) => cell.kind))).toEqual(new Set(['plan', 'prefill']));
  expect(new Set(selectCells(cells, ['uniform-50']).map((cell) => cell.method))).toEqual(new Set(['uniform-50']));
  expect(() => ids('uniform.50')).toThrow(MoaError);
});

test('a pattern that matches nothing shows what ids look like', () => {
  expect(() => ids('nonsense')).toThrow(/nonsense matches none of \d+/);
});

test('a pattern that matches nothing is refused beside others that match', () => {
  expect(() => ids('retrieval', 'nope')).toThrow(/ nope matches none of \d+/);
});
