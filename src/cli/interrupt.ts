import { printable } from '../core/printable.ts';
import { SignalWatch } from '../native/signal-watch.ts';
import { EXIT, STOPPED } from './exit-code.ts';
import { tell } from './output.ts';

/** How long stages may take to stop by themselves. Native work in flight cannot be stopped early, so it may take longer than this. */
const GRACE_MS = 600;
/** How long the process may take to notice a signal and end. If it takes longer, JavaScript is inside a call that does not return. */
const DEAF_MS = 1000;

/** Shows the cursor that a progress bar hid, below the bar. */
const BAR_END = '\u001b[?25h\n';

/** In this order: Ctrl-C, `kill`, and a terminal or connection that was closed. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface Interruption {
  /** Called once, just before the process ends or the error is thrown, to end other output such as a progress bar. */
  readonly beforeExit: () => void;
  /** One line that says where the work is and how to go on with it; empty when there is nothing to say. */
  readonly howToGoOn?: () => string;
}

/** What `interruptible` gives to the work that it runs. */
export interface Interruptible {
  /** Aborted by the first of the signals. */
  readonly signal: AbortSignal;
  /** The work calls this when `howToGoOn` would now return another text. */
  readonly placeChanged: () => void;
}

/**
 * Returns what `work` returns; SIGINT, SIGTERM and SIGHUP abort the signal that `work` gets. After such a signal the process ends with exit code 130 within
 * about a second, even when the work does not stop by itself or does not return to the event loop. Records are safe at any point: each is written as one
 * whole line.
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
