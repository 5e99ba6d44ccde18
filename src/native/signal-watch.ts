import { type Addon, loadAddon } from './addon.ts';

/**
 * Ends the process when SIGINT, SIGTERM or SIGHUP was not answered by `close` within `graceMs`. Handlers of these signals run between two calls, so
 * while one call does not return (an expression that backtracks, a loop of a template) nothing in JavaScript hears them: a native thread does.
 * Handlers must be there before the watch begins. Without the native addon there is no watch, nor the work that needs one.
 */
export class SignalWatch {
  readonly #addon: Addon | null;
  readonly #graceMs: number;

  constructor(graceMs: number) {
    this.#addon = addonIfThere();
    this.#graceMs = graceMs;
  }

  /** Begins the watch, or changes what is written to standard error before the process ends. */
  say(lastWords: string): void {
    this.#addon?.watchSignals?.(this.#graceMs, lastWords);
  }

  /** Ends the watch: signals are answered, or nobody waits for an answer any more. */
  close(): void {
    this.#addon?.unwatchSignals?.();
  }
}

function addonIfThere(): Addon | null {
  try {
    return loadAddon();
  } catch {
    return null; // told by what needs it
  }
}
