import { createContext, Script } from 'node:vm';
import { MoaError } from '../../core/errors.ts';

const SCRIPT = new Script('result = run()');
const CONTEXT: { run: (() => unknown) | null; result: unknown } = { run: null, result: undefined };
createContext(CONTEXT);

/** Nearly every call takes less than this. */
const USUAL_MS = 500;

interface TimeLimit {
  readonly milliseconds: number;
  /** What runs, for messages. */
  readonly what: string;
}

/**
 * The result of a synchronous function that reads a stranger's file and may take at most `milliseconds`. The engine stops the function even
 * in the middle of a loop, or of a regular expression that backtracks without end. Ctrl-C stops it too, once it takes unusually long. The
 * function must have no side effects, because one that takes longer than usual is started again. The limit costs a fraction of a
 * millisecond per call.
 * @throws MoaError INVALID_FILE when time is up, ABORTED on Ctrl-C; or what the function throws.
 */
export function withinTime<T>(limit: TimeLimit, run: () => T): T {
  // While a script can be interrupted by Ctrl-C, Node removes the handlers of the signal, and a signal that was waiting for them is lost.
  // So a usual call cannot be interrupted; the signal is handled right after it. Only an unusually long call can lose a signal, one that
  // comes in its first moments; the next signal interrupts it.
  const usual = { ...limit, milliseconds: Math.min(USUAL_MS, limit.milliseconds) };
  try {
    return runScript(usual, run, false);
  } catch (error) {
    if (!(error instanceof TimeUp)) throw error;
    if (usual.milliseconds < limit.milliseconds) return runScript(limit, run, true);
    throw error;
  }
}

class TimeUp extends MoaError {}

function runScript<T>(limit: TimeLimit, run: () => T, breakOnSigint: boolean): T {
  const outer = CONTEXT.run;
  CONTEXT.run = run;
  try {
    SCRIPT.runInContext(CONTEXT, { timeout: limit.milliseconds, breakOnSigint });
    return CONTEXT.result as T;
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException | null)?.code;
    if (code === 'ERR_SCRIPT_EXECUTION_INTERRUPTED') {
      // While the function ran, the signal did not reach its handlers, so it is sent once more.
      process.kill(process.pid, 'SIGINT');
      throw new MoaError(`Expected ${limit.what} to finish but it was interrupted`, { code: 'ABORTED', cause });
    }
    if (code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw cause;
    throw new TimeUp(`Expected ${limit.what} to finish within ${limit.milliseconds / 1000} s but it did not`, {
      code: 'INVALID_FILE',
      hint: 'The file makes it loop or backtrack without end; use the files of another source.',
      cause,
    });
  } finally {
    CONTEXT.run = outer;
    CONTEXT.result = undefined;
  }
}
