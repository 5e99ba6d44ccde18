import { numbered } from '../summary/phrases.ts';
import type { Check } from '../summary/summary.ts';

/** `12 checks passed, 2 could not be made`. */
export function checksTally(checks: readonly Check[]): string {
  const count = (status: Check['status']): number => checks.filter((check) => check.status === status).length;
  const untested = count('untested');
  return `${numbered(count('passed'), 'check')} passed${untested > 0 ? `, ${untested} could not be made` : ''}`;
}

/** Whether more than half of the checks could be made. Only then does it mean something that no check failed. */
export function mostWereMade(checks: readonly Check[]): boolean {
  return 2 * checks.filter((check) => check.status === 'untested').length < checks.length;
}
