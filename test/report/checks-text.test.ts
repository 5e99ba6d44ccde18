import { expect, it } from 'vitest';
import { checksTally, mostWereMade } from '../../src/report/checks-text.ts';
import { threats } from '../../src/report/html/sections.ts';
import type { Check } from '../../src/summary/summary.ts';

const checks = (passed: number, untested: number): Check[] =>
  Array.from({ length: passed + untested }, (_, i) => ({
    id: `check-${i}`,
    status: i < passed ? 'passed' : 'untested',
    severity: 'warning',
    message: '',
  }));

it('counts what was looked at', () => {
  expect(checksTally(checks(1, 0))).toBe('1 check passed');
  expect(checksTally(checks(3, 11))).toBe('3 checks passed, 11 could not be made');
});

it('gives the all-clear only where most checks could be made', () => {
  expect([mostWereMade(checks(12, 2)), mostWereMade(checks(7, 7)), mostWereMade(checks(3, 11)), mostWereMade([])]).toEqual([
    true,
    false,
    false,
    false,
  ]);
  expect(threats(checks(12, 2)).text).toContain('No threat to these conclusions was found');
  expect(threats(checks(3, 11)).text).toMatch(/^<p class="note">Too little was run to look for threats/);
});
