import { EXIT, STOPPED } from './exit-code.ts';

/** How long stages may take to stop by themselves; native work in flight cannot be cut short. */
const GRACE_MS = 600;

/**
 * Runs `work` with a signal that Ctrl-C (or SIGTERM) aborts. The process ends with exit code 130 within a second: `beforeExit` is called
 * then, if the work has not ended by itself. Records are safe at any point: each is one whole line on the file.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>, beforeExit: () => void): Promise<T> {
  const controller = new AbortController();
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(EXIT.aborted);
    controller.abort();
    setTimeout(() => {
      beforeExit();
      process.stderr.write(`${STOPPED}\n`);
      process.exit(EXIT.aborted);
    }, GRACE_MS).unref();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  try {
    return await work(controller.signal);
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}
