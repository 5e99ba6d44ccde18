import type { Backend } from '../../native/backend.ts';
import { orAborted } from './abort.ts';

/**
 * Lets the host enqueue at most one stretch of work ahead of the stream. So the device never waits for the host between stretches, an abort
 * takes effect within two stretches, and the work that waits on the stream stays bounded.
 */
export class Pacer {
  readonly #backend: Backend;
  readonly #signal: AbortSignal | undefined;
  #previous: Promise<void> = Promise.resolve();

  constructor(backend: Backend, signal: AbortSignal | undefined) {
    this.#backend = backend;
    this.#signal = signal;
  }

  /** Ends a stretch; resolves when the one before it is done. @throws MoaError ABORTED, or what failed in the stretch before. */
  async next(): Promise<void> {
    const previous = this.#previous;
    this.#previous = this.#backend.synchronize();
    this.#previous.catch(() => {}); // the next call reports it, if there is one
    await orAborted(previous, this.#signal);
  }

  /** Resolves when every stretch is done. Throws as `next`. */
  async finish(): Promise<void> {
    await orAborted(this.#previous, this.#signal);
  }
}
