import { printable } from '../core/printable.ts';
import { SignalWatch } from '../native/signal-watch.ts';
import { EXIT, STOPPED } from './exit-code.ts';
import { tell } from './output.ts';

/** How long stages may take to stop by themselves; native work in flight cannot be cut short. */
const GRACE_MS = 600;
/** How long the process may take to hear a signal and end: more, and JavaScript is in a call that does not return. */
const DEAF_MS = 1000;

/** Shows the cursor that a progress bar hid, below the bar. */
const BAR_END = '\u001b[?25h\n';

/** Ctrl-C, `kill`, and the terminal or connection that was closed. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface Interruption {
  /** Called once, just before the process ends or the error is thrown: other output ends here. */
  readonly beforeExit: () => void;
  /** One line that says where the work is and how to go on with it; empty when there is nothing to say. */
  readonly howToGoOn?: () => string;
}

/** What work gets. */
export interface Interruptible {
  /** Aborted by the first of the signals. */
  readonly signal: AbortSignal;
  /** Told when `howToGoOn` says something else than before. */
  readonly placeChanged: () => void;
}

/**
 * Runs `work` with a signal that SIGINT, SIGTERM and SIGHUP abort. The process ends with exit code 130 within about a second, also when the work has not
 * ended by itself, or does not return to the event loop. Records are safe at any point: each is one whole line on the file.
 */
export async function interruptible<T>(
  work: (given: Interruptible) => Promise<T>,
  { beforeExit, howToGoOn = () => '' }: Interruption,
): Promise<T> {
  const controller = new AbortController();
  const watch = new SignalWatch(DEAF_MS);
  let told = false;
  const place = (): string => (howToGoOn() === '' ? '' : `${howToGoOn()}\n`);
  const placeChanged = (): void => watch.say(`${process.stderr.isTTY ? BAR_END : ''}${printable(`${place()}${STOPPED}\n`)}`);
  const end = (): void => {
    if (told) return;
    told = true;
    beforeExit();
    tell(place());
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
  placeChanged();
  try {
    return await work({ signal: controller.signal, placeChanged });
  } finally {
    watch.close();
    for (const name of SIGNALS) process.off(name, onSignal);
    if (controller.signal.aborted) end();
  }
}
