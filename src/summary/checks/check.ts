import type { Selection } from '../selection.ts';
import type { Check, Summary } from '../summary.ts';

/** What checks look at. */
export interface CheckInput {
  readonly summary: Omit<Summary, 'checks' | 'verdicts'>;
  readonly selection: Selection;
}

/** One finding. */
export function check(id: string, severity: Check['severity'], status: Check['status'], message: string): Check {
  return { id, severity, status, message };
}
