import { MoaError } from '../../core/errors.ts';

/** @throws MoaError ABORTED when the signal is. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw aborted(signal);
}

/** The promise, or MoaError ABORTED as soon as the signal fires. Native work that was enqueued ends by itself later. */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  throwIfAborted(signal);
  let onAbort = (): void => {};
  const abort = new Promise<never>((_, reject) => {
    onAbort = () => reject(aborted(signal));
    signal.addEventListener('abort', onAbort, { once: true });
  });
  promise.catch(() => {}); // when the abort wins, nobody else would handle a late failure
  try {
    return await Promise.race([promise, abort]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function aborted(signal: AbortSignal): MoaError {
  return new MoaError('Stopped on request', { code: 'ABORTED', cause: signal.reason });
}
