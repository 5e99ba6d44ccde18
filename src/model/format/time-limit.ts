import { createContext, Script } from 'node:vm';
import { MoaError } from '../../core/errors.ts';

const SCRIPT = new Script('result = run()');
const CONTEXT: { run: (() => unknown) | null; result: unknown } = { run: null, result: undefined };
createContext(CONTEXT);

interface TimeLimit {
  readonly milliseconds: number;
  /** What runs, for messages. */
  readonly what: string;
}

/**
 * The result of a synchronous function that reads a stranger's file and may take at most `milliseconds`. The engine stops the function even
 * in the middle of a loop, or of a regular expression that backtracks without end. Signals are handled after the call; where it takes too
 * long, cli/interrupt.ts ends the process. The limit costs a fraction of a millisecond per call.
 * @throws MoaError INVALID_FILE when time is up; or what the function throws.
 */
export function withinTime<T>(limit: TimeLimit, run: () => T): T {
  const outer = CONTEXT.run;
  CONTEXT.run = run;
  try {
    // `breakOnSigint` would remove the signal's handlers during the call, and a signal that was waiting for them would be lost.
    SCRIPT.runInContext(CONTEXT, { timeout: limit.milliseconds });
    return CONTEXT.result as T;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException | null)?.code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw cause;
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
