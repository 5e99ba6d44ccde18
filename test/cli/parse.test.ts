import { InvalidArgumentError } from 'commander';
import { expect, test } from 'vitest';
import { deviceIndex, integer, integers, positive, share } from '../../src/cli/parse.ts';

test('devices count from 0, other numbers from 1', () => {
  expect([deviceIndex('0'), deviceIndex('7'), integer('1')]).toEqual([0, 7, 1]);
  expect(integers('64,128', integers('1', undefined))).toEqual([1, 64, 128]);
});

test.each(['-1', '1.5', '', ' ', 'first'])('%j is refused', (text) => {
  expect(() => deviceIndex(text)).toThrow(InvalidArgumentError);
  expect(() => integer(text)).toThrow(InvalidArgumentError);
});

test('shares are above 0 and at most 1, other numbers above 0', () => {
  expect([share('1'), share('0.5'), positive('2.5e12')]).toEqual([1, 0.5, 2.5e12]);
  for (const text of ['0', '-1', 'much', '', 'Infinity']) expect(() => positive(text), text).toThrow(InvalidArgumentError);
  for (const text of ['0', '1.1', 'much', '']) expect(() => share(text), text).toThrow(InvalidArgumentError);
});
