import { expect, it } from 'vitest';
import { numbered } from '../../src/summary/phrases.ts';

it('gives a noun the number that its count asks for', () => {
  expect([0, 1, 2, 1200].map((count) => numbered(count, 'pair'))).toEqual(['0 pairs', '1 pair', '2 pairs', '1,200 pairs']);
  expect([1, 2].map((count) => numbered(count, 'cell was', 'cells were'))).toEqual(['1 cell was', '2 cells were']);
});
