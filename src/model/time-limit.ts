import { createContext, Script } from 'node:vm';
import { MoaError } from '../core/errors.ts';

const SCRIPT = new Script('result = run()');
const CONTEXT: { run: (() => unknown) | null; result: unknown } = { run: null, result: undefined };
createContext(CONTEXT);

/**
 * Runs a synchronous function that reads a stranger's file for at most `milliseconds`. The engine stops it in the middle of a loop, or of a
 * regular expression that backtracks without end; Ctrl-C stops it too. One call costs a fraction of a millisecond.
 * @throws MoaError INVALID_FILE when time is up, ABORTED on Ctrl-C; or what the function throws.
 */
export function withinTime<T>(limit: { readonly milliseconds: number; readonly what: string }, run: () => T): T {
  const outer = CONTEXT.run;
  CONTEXT.run = run;
  try {
    SCRIPT.runInContext(CONTEXT, { timeout: limit.milliseconds, breakOnSigint: true });
    return CONTEXT.result as T;
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException | null)?.code;
    if (code === 'ERR_SCRIPT_EXECUTION_INTERRUPTED') {
      // While the function ran, Node kept the signal from its handlers: it is sent once more, to them.
      process.kill(process.pid, 'SIGINT');
      throw new MoaError(`Expected ${limit.what} to finish but it was interrupted`, { code: 'ABORTED', cause });
    }
    if (code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw cause;
    throw new MoaError(`Expected ${limit.what} to finish within ${limit.milliseconds / 1000} s but it did not`, {
      code: 'INVALID_FILE',
      hint: 'The file makes it loop or backtrack without end; use the files of another source.',
      cause,
    });
  } finally {
    CONTEXT.run = outer;
    CONTEXT.result = undefined;
  }
}
