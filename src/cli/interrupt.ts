import { EXIT, STOPPED } from './exit-code.ts';
import { tell } from './output.ts';

/** How long stages may take to stop by themselves; native work in flight cannot be cut short. */
const GRACE_MS = 600;

/** Ctrl-C, `kill`, and the terminal or connection that was closed. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface Interruption {
  /** Called once, just before the process ends or the error is thrown: other output ends here. */
  readonly beforeExit: () => void;
  /** One line that says where the work is and how to go on with it; empty when there is nothing to say. */
  readonly howToGoOn?: () => string;
}

/**
 * Runs `work` with a signal that SIGINT, SIGTERM and SIGHUP abort. The process ends with exit code 130 within a second, also when the work has not ended by
 * itself. Records are safe at any point: each is one whole line on the file.
 */
export async function interruptible<T>(
  work: (signal: AbortSignal) => Promise<T>,
  { beforeExit, howToGoOn = () => '' }: Interruption,
): Promise<T> {
  const controller = new AbortController();
  let told = false;
  const end = (): void => {
    if (told) return;
    told = true;
    beforeExit();
    if (howToGoOn() !== '') tell(`${howToGoOn()}\n`);
  };
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(EXIT.aborted);
    controller.abort();
    setTimeout(() => {
      end();
      tell(`${STOPPED}\n`);
      process.exit(EXIT.aborted);
    }, GRACE_MS).unref();
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  try {
    return await work(controller.signal);
  } finally {
    for (const name of SIGNALS) process.off(name, onSignal);
    if (controller.signal.aborted) end();
  }
}
