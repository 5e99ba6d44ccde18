import { describe, expect, test } from 'vitest';
import { Pacer } from '../../../src/model/inference/pacer.ts';
import type { Backend } from '../../../src/native/backend.ts';

/** A backend whose synchronizations are settled by hand. */
function manual(): { readonly backend: Backend; readonly waits: PromiseWithResolvers<void>[] } {
  const waits: PromiseWithResolvers<void>[] = [];
  const synchronize = (): Promise<void> => {
    let resolve = (): void => {};
    let reject = (_: unknown): void => {};
    const promise = new Promise<void>((yes, no) => {
      [resolve, reject] = [yes, no];
    });
    waits.push({ promise, resolve, reject } as PromiseWithResolvers<void>);
    return promise;
  };
  return { backend: { synchronize } as unknown as Backend, waits };
}

interface PromiseWithResolvers<T> {
  readonly promise: Promise<T>;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

async function settled(promise: Promise<unknown>): Promise<boolean> {
  return Promise.race([
    promise.then(
      () => true,
      () => true,
    ),
    new Promise<boolean>((resolve) => setImmediate(() => resolve(false))),
  ]);
}

describe('Pacer', () => {
  test('runs one stretch ahead', async () => {
    const { backend, waits } = manual();
    const pacer = new Pacer(backend, undefined);
    await pacer.next();
    const second = pacer.next();
    expect(await settled(second)).toBe(false);
    waits[0]?.resolve();
    await second;
    const end = pacer.finish();
    expect(await settled(end)).toBe(false);
    waits[1]?.resolve();
    await end;
  });

  test('tells a failure at the next call', async () => {
    const { backend, waits } = manual();
    const pacer = new Pacer(backend, undefined);
    await pacer.next();
    waits[0]?.reject(new Error('lost'));
    await expect(pacer.next()).rejects.toThrow('lost');
  });

  test('rejects with ABORTED when its signal fires while it waits', async () => {
    const { backend } = manual();
    const controller = new AbortController();
    const pacer = new Pacer(backend, controller.signal);
    await pacer.next();
    const waiting = pacer.next();
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'ABORTED' });
  });
});
