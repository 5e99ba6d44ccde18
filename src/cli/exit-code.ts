import { MoaError } from '../core/errors.ts';
import { ioError } from '../core/files.ts';
import type { Verdict } from '../summary/compare/rules.ts';

/** Exit codes of every command. */
export const EXIT = { completed: 0, someFailed: 1, badInput: 2, regression: 3, undecided: 4, notComparable: 5, aborted: 130 } as const;

/** The exit code for each verdict of a comparison. */
export const VERDICT_EXIT: Readonly<Record<Verdict, number>> = {
  same: EXIT.completed,
  better: EXIT.completed,
  worse: EXIT.regression,
  undecided: EXIT.undecided,
  'not-comparable': EXIT.notComparable,
};

/** The exit code that an error thrown out of a command means. */
export function exitCodeOf(error: unknown): number {
  if (isAbort(error)) return EXIT.aborted;
  if (error instanceof MoaError && ['INVALID_ARGUMENT', 'INVALID_FILE', 'NOT_FOUND', 'UNSUPPORTED'].includes(error.code))
    return EXIT.badInput;
  return EXIT.someFailed;
}

/** Whether the error says that the work was aborted, by Ctrl-C for example. */
function isAbort(error: unknown): boolean {
  return error instanceof MoaError ? error.code === 'ABORTED' : error instanceof Error && error.name === 'AbortError';
}

/** Whether the error comes straight from the operating system, without a stage having put it into words. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException & { readonly syscall: string } {
  return error instanceof Error && 'errno' in error && 'syscall' in error && typeof error.syscall === 'string';
}

/** The message after Ctrl-C. */
export const STOPPED = 'error: Stopped on request';

/** An error as it is shown to a person: message, what was found instead, hint, and the stack only for unexpected ones. */
export function errorText(error: unknown): string {
  if (isAbort(error)) return STOPPED;
  if (isSystemError(error)) return errorText(ioError(error.path ?? error.syscall, error.syscall === 'open' ? 'read' : 'write', error));
  if (!(error instanceof MoaError)) return error instanceof Error ? (error.stack ?? error.message) : String(error);
  const found = error.found === undefined ? '' : `\n  found: ${error.found}`;
  const hint = error.hint === undefined ? '' : `\n  hint: ${error.hint}`;
  const stack = error.code === 'INTERNAL' ? `\n${error.stack ?? ''}` : '';
  return `error: ${error.message}${found}${hint}${stack}`;
}
