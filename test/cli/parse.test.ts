import { InvalidArgumentError } from 'commander';
import { expect, test } from 'vitest';
import { deviceIndex, integer, integers } from '../../src/cli/parse.ts';

test('devices count from 0, other numbers from 1', () => {
  expect([deviceIndex('0'), deviceIndex('7'), integer('1')]).toEqual([0, 7, 1]);
  expect(integers('64,128', integers('1', undefined))).toEqual([1, 64, 128]);
});

test.each(['-1', '1.5', '', ' ', 'first'])('%j is refused', (text) => {
  expect(() => deviceIndex(text)).toThrow(InvalidArgumentError);
  expect(() => integer(text)).toThrow(InvalidArgumentError);
});
