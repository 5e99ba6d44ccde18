import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Backend, KvCache, Tensor } from '../../src/native/backend.ts';
import { createCpuBackend } from '../../src/native/cpu.ts';

const HEAD_DIM = 8;

let backend: Backend;
beforeEach(() => {
  backend = createCpuBackend({ threads: 1 });
});
afterEach(() => backend.dispose());

function counter(): { readonly x: Tensor; readonly add: () => void } {
  const x = backend.tensor('f32', [1, 2]);
  const one = backend.tensor('f32', [1, 2]);
  backend.fill({ out: one, value: 1 });
  return { x, add: () => backend.add({ x, y: one }) };
}

/** A `full` cache of 64 slots with `tokens` tokens, and one decode step over it. */
function decoding(tokens: number): { readonly cache: KvCache; readonly step: () => void; readonly advance: () => void } {
  const cache = backend.kvCache({
    policy: 'full',
    sequences: 1,
    layers: 1,
    kvHeads: 1,
    headDim: HEAD_DIM,
    dtype: 'f32',
    sink: 0,
    capacities: Int32Array.of(64),
  });
  const sequences = Int32Array.of(0);
  const k = backend.tensor('f32', [tokens, 1, HEAD_DIM]);
  backend.cacheAppend({ cache, layer: 0, k, v: k, segments: Int32Array.of(0, tokens, 0, 0) });
  backend.cacheAdvance({ cache, sequences, counts: Int32Array.of(tokens) });
  const [q, key, v, out] = [0, 1, 2, 3].map(() => backend.tensor('f32', [1, 1, HEAD_DIM])) as [Tensor, Tensor, Tensor, Tensor];
  const inverseFrequencies = backend.tensor('f32', [HEAD_DIM / 2]);
  return {
    cache,
    step: () => {
      backend.decodeAppend({ cache, layer: 0, q, k: key, v, sequences, inverseFrequencies, scale: 1 });
      backend.attentionDecode({ cache, layer: 0, q, out, sequences, scale: 1 });
    },
    advance: () => backend.cacheAdvance({ cache, sequences, counts: Int32Array.of(1) }),
  };
}

describe('capture', () => {
  test('records without running, and runs at every replay', async () => {
    const { x, add } = counter();
    const graph = backend.capture(() => {
      add();
      add();
    });
    expect(await x.read()).toEqual(Float32Array.of(0, 0));
    graph.replay();
    graph.replay();
    expect(await x.read()).toEqual(Float32Array.of(4, 4));
  });

  test('keeps what it uses', async () => {
    const { x, add } = counter();
    const y = backend.tensor('f32', [1, 2]);
    backend.fill({ out: y, value: 10 });
    const graph = backend.capture(() => backend.add({ x, y }));
    const { workspaceBytes } = backend.memory();
    y.dispose();
    graph.replay();
    expect(await x.read()).toEqual(Float32Array.of(10, 10));
    expect(backend.memory().workspaceBytes).toBe(workspaceBytes);
    graph.dispose();
    await backend.synchronize();
    expect(backend.memory().workspaceBytes).toBe(workspaceBytes - 8);
    add();
  });

  test('refuses what cannot be run again, and forgets a recording that threw', async () => {
    const { x, add } = counter();
    const { advance, cache } = decoding(3);
    for (const forbidden of [advance, () => x.write(Float32Array.of(1, 2)), () => void x.read(), () => cache.reset(0)]) {
      const record = () => {
        add();
        forbidden();
      };
      expect(() => backend.capture(record)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    }
    add();
    expect(await x.read()).toEqual(Float32Array.of(1, 1));
    expect(() => backend.capture('step' as never)).toThrow(/Expected a function for Backend.capture record/);
  });

  test('refuses growing caches', () => {
    const spec = { policy: 'dynamic', sequences: 1, layers: 1, kvHeads: 1, headDim: HEAD_DIM, dtype: 'f32', sink: 0 } as const;
    const cache = backend.kvCache({ ...spec, capacities: new Int32Array(0) });
    const q = () => backend.tensor('f32', [1, 1, HEAD_DIM]);
    const step = { cache, layer: 0, q: q(), k: q(), v: q(), sequences: Int32Array.of(0), scale: 1 };
    const inverseFrequencies = backend.tensor('f32', [HEAD_DIM / 2]);
    expect(() => backend.capture(() => backend.decodeAppend({ ...step, inverseFrequencies }))).toThrow(/ring or full cache/);
  });

  test('checks lengths at every replay', async () => {
    const { step, advance, cache } = decoding(61);
    const graph = backend.capture(step);
    for (let i = 0; i < 3; i++) {
      graph.replay();
      advance();
    }
    expect(await cache.lengths()).toEqual(Int32Array.of(64));
    expect(() => graph.replay()).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining('64 tokens') }),
    );
  });

  test('cannot be replayed once disposed', () => {
    const { add } = counter();
    const graph = backend.capture(add);
    graph.dispose();
    graph.dispose();
    expect(() => graph.replay()).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });
});

describe('time', () => {
  test('gives the milliseconds of what it enqueues', async () => {
    const { x, add } = counter();
    const [short, long] = [await backend.time(() => {}), await backend.time(() => Array.from({ length: 2000 }, add))];
    expect(short).toBeGreaterThanOrEqual(0);
    expect(long).toBeGreaterThan(short);
    expect(await x.read()).toEqual(Float32Array.of(2000, 2000));
  });

  test('throws what the timed function throws', async () => {
    const refuse = () => {
      throw new Error('no');
    };
    expect(() => backend.time(refuse)).toThrow('no');
    expect(() => backend.time(3 as never)).toThrow(/Expected a function for Backend.time enqueue/);
  });
});

test('the traits of cpu: graphs, the clock of the stream, no 16-bit activations', () => {
  expect(backend.traits).toEqual({ halfActivations: false, graphs: true, timer: 'stream thread clock' });
});
