import { expect, test } from 'vitest';
import { withTodaysNames } from '../../src/records/older-names.ts';

test.each([
  ['static', 'ring'],
  ['dense', 'full'],
  ['dynamic', 'dynamic'],
])('a %s cache of version 2 is a %s cache, and contextTokens is length', (older, todays) => {
  const others = { kind: 'measurement', batch: 4 };
  expect(withTodaysNames({ ...others, cache: older, contextTokens: 4096 })).toEqual({ ...others, cache: todays, length: 4096 });
});

test.each([[{ kind: 'measurement', cache: 'ring', length: 4096 }], [{ kind: 'run' }], [null], ['text'], [3]])(
  '%j stays as it is',
  (value) => {
    expect(withTodaysNames(value)).toBe(value);
  },
);
