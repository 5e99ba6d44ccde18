import type { Selection } from '../selection.ts';
import type { Check, Summary } from '../summary.ts';

/** The input of every check. */
export interface CheckInput {
  readonly summary: Omit<Summary, 'checks' | 'verdicts'>;
  readonly selection: Selection;
}

/** The result of one check. */
export function check(id: string, severity: Check['severity'], status: Check['status'], message: string): Check {
  return { id, severity, status, message };
}
