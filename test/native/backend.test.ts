import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MoaError } from '../../src/core/errors.ts';
import type { Backend, KvCache, KvCacheSpec } from '../../src/native/backend.ts';
import { createCpuBackend } from '../../src/native/cpu.ts';

const HEAD_DIM = 8;

let backend: Backend;
beforeEach(() => {
  backend = createCpuBackend({ threads: 2 });
});
afterEach(() => backend.dispose());

function growingCache(spec: Partial<KvCacheSpec> = {}): KvCache {
  const base = { policy: 'dynamic', sequences: 1, layers: 1, kvHeads: 1, headDim: HEAD_DIM, dtype: 'f32', sink: 0 } as const;
  return backend.kvCache({ ...base, capacities: new Int32Array(0), ...spec });
}

/** Enqueues what only the stream can find out: a growing cache that may not grow. */
function enqueueFailure(): KvCache {
  const cache = growingCache();
  const k = backend.tensor('f32', [4, 1, HEAD_DIM]);
  const { weightsBytes, kvBytes, workspaceBytes } = backend.memory();
  backend.setMemoryLimit(weightsBytes + kvBytes + workspaceBytes + 1);
  backend.cacheAppend({ cache, layer: 0, k, v: k, segments: Int32Array.of(0, 4, 0, 0) });
  backend.cacheAdvance({ cache, sequences: Int32Array.of(0), counts: Int32Array.of(4) });
  return cache;
}

describe('stream', () => {
  test('runs ops in the order they were enqueued', async () => {
    const x = backend.tensor('f32', [1, 3]);
    const one = backend.tensor('f32', [1, 3]);
    backend.fill({ out: one, value: 1 });
    const reads = [];
    for (let i = 0; i < 50; i++) {
      backend.add({ x, y: one });
      reads.push(x.read());
    }
    expect((await Promise.all(reads)).map((values) => values[0])).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
  });

  test('tells every promise that waits after a failure, and then works again', async () => {
    const x = backend.tensor('f32', [1, 2]);
    backend.fill({ out: x, value: 5 });
    const before = x.read();
    enqueueFailure();
    backend.fill({ out: x, value: 7 });
    const outcomes = await Promise.allSettled([before, x.read(), backend.synchronize()]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect(outcomes[1]).toMatchObject({ reason: { name: 'MoaError', code: 'OUT_OF_MEMORY' } });
    expect(String(outcomes[2]?.status === 'rejected' && outcomes[2].reason)).toMatch(
      /cacheAppend failed: Expected at most 1 bytes for the dynamic KV cache but received a request for 256/,
    );
    backend.setMemoryLimit(0);
    expect(await x.read()).toEqual(Float32Array.of(5, 5)); // the second fill belonged to the failed stretch
    backend.fill({ out: x, value: 9 });
    expect(await x.read()).toEqual(Float32Array.of(9, 9));
  });

  test('keeps the lengths of host and stream together through a failure, and refuses the lost tokens until a reset', async () => {
    const cache = enqueueFailure();
    await expect(backend.synchronize()).rejects.toMatchObject({ code: 'OUT_OF_MEMORY' });
    backend.setMemoryLimit(0);
    expect(await cache.lengths()).toEqual(Int32Array.of(4));
    const k = backend.tensor('f32', [1, 1, HEAD_DIM]);
    backend.cacheAppend({ cache, layer: 0, k, v: k, segments: Int32Array.of(0, 1, 4, 0) });
    await expect(backend.synchronize()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringContaining('a reset') });
    cache.reset(0);
    backend.cacheAppend({ cache, layer: 0, k, v: k, segments: Int32Array.of(0, 1, 0, 0) });
    backend.cacheAdvance({ cache, sequences: Int32Array.of(0), counts: Int32Array.of(1) });
    expect(await cache.lengths()).toEqual(Int32Array.of(1));
    expect(cache.residentBytes).toBe(2 * HEAD_DIM * 4);
  });

  test('two backends do not wait for each other, and do not share tensors', async () => {
    const other = createCpuBackend({ threads: 1 });
    const x = backend.tensor('f32', [1, 2]);
    const y = other.tensor('f32', [1, 2]);
    expect(() => backend.add({ x, y })).toThrow('Expected a tensor of this backend for add.y but received one of another backend');
    await other.dispose();
    expect(() => other.tensor('f32', [1])).toThrow('Expected a live backend for Backend.tensor but received a disposed one');
    expect(await x.read()).toEqual(Float32Array.of(0, 0));
  });
});

describe('memory', () => {
  test('is accounted exactly by kind, with peak', async () => {
    const weights = backend.tensor('bf16', [3, 5], 'weights');
    const workspace = backend.tensor('f32', [7]);
    const cache = backend.kvCache({
      policy: 'ring',
      sequences: 2,
      layers: 1,
      kvHeads: 2,
      headDim: HEAD_DIM,
      dtype: 'f16',
      sink: 64,
      capacities: Int32Array.of(128, 192, 128, 256),
    });
    const kvBytes = 2 * (128 + 192 + 128 + 256) * HEAD_DIM * 2;
    expect(backend.memory()).toEqual({ weightsBytes: 30, kvBytes, workspaceBytes: 28, peakBytes: 58 + kvBytes });
    expect(cache.residentBytes).toBe(kvBytes);
    expect(cache.residentBytesPerHead()).toEqual(Float64Array.of(2 * 256 * HEAD_DIM * 2, 2 * 448 * HEAD_DIM * 2));
    cache.dispose();
    weights.dispose();
    weights.dispose();
    workspace.rows(0, 3).dispose();
    await backend.synchronize();
    expect(backend.memory()).toEqual({ weightsBytes: 0, kvBytes: 0, workspaceBytes: 28, peakBytes: 58 + kvBytes });
    expect(backend.substitutions()).toEqual([]); // a host has the kernels it was built with
    backend.resetPeak();
    expect(backend.memory().peakBytes).toBe(28);
  });

  test('stops at the limit and leaves everything usable', async () => {
    const x = backend.tensor('f32', [10]);
    backend.setMemoryLimit(100);
    expect(() => backend.tensor('f32', [16])).toThrow(
      expect.objectContaining({
        code: 'OUT_OF_MEMORY',
        message: 'Expected at most 60 bytes for Backend.tensor but received a request for 64 (in use: 40, limit: 100)',
      }),
    );
    backend.tensor('f32', [15]).dispose();
    backend.setMemoryLimit(0);
    expect(() => backend.tensor('f32', [2 ** 20, 2 ** 24])).toThrow(expect.objectContaining({ code: 'OUT_OF_MEMORY' }));
    backend.fill({ out: x, value: 1 });
    expect(await x.read()).toEqual(new Float32Array(10).fill(1));
  });

  test('a growing cache holds exactly its tokens', async () => {
    const cache = growingCache({ sequences: 2, layers: 2, kvHeads: 3 });
    const k = backend.tensor('f32', [7, 3, HEAD_DIM]);
    const segments = Int32Array.of(0, 5, 0, 0, 5, 2, 0, 1);
    for (const layer of [0, 1]) backend.cacheAppend({ cache, layer, k, v: k, segments });
    backend.cacheAdvance({ cache, sequences: Int32Array.of(0, 1), counts: Int32Array.of(5, 2) });
    await backend.synchronize();
    const bytes = 2 * 7 * 2 * 3 * HEAD_DIM * 4;
    expect(cache.residentBytes).toBe(bytes);
    expect(backend.memory().kvBytes).toBe(bytes);
    expect(cache.residentBytesPerHead()).toEqual(new Float64Array(6).fill(2 * 7 * HEAD_DIM * 4));
  });
});

describe('dispose', () => {
  test('while ops wait is safe', async () => {
    const [a, b, out] = [backend.tensor('f32', [400, 400]), backend.tensor('f32', [400, 400]), backend.tensor('f32', [400, 400])];
    backend.fill({ out: a, value: 1 });
    backend.fill({ out: b, value: 1 });
    for (let i = 0; i < 5; i++) backend.gemm({ a, b, out, transposeB: true });
    const result = out.read();
    for (const tensor of [a, b, out]) tensor.dispose();
    expect((await result)[399]).toBe(400);
    expect(backend.memory().workspaceBytes).toBe(0);
  });

  test('of an owner kills its views, of a view only itself', async () => {
    const x = backend.tensor('f32', [4, 2]);
    const [first, second] = [x.rows(0, 2), x.rows(2, 2)];
    first.dispose();
    expect(() => first.read()).toThrow('Expected a live tensor for Tensor.read but received a disposed one');
    expect(await second.read()).toHaveLength(4);
    x.dispose();
    expect(() => backend.fill({ out: second, value: 1 })).toThrow('Expected a live tensor for fill.out but received a disposed one');
  });

  test('of the backend waits for its work, frees all and is idempotent', async () => {
    const x = backend.tensor('f32', [3]);
    const cache = growingCache();
    backend.fill({ out: x, value: 2 });
    const read = x.read();
    const [first, second] = [backend.dispose(), backend.dispose()];
    expect(await read).toEqual(Float32Array.of(2, 2, 2));
    await Promise.all([first, second]);
    expect(backend.memory()).toMatchObject({ weightsBytes: 0, kvBytes: 0, workspaceBytes: 0 });
    expect(() => x.read()).toThrow(MoaError);
    expect(() => cache.lengths()).toThrow(MoaError);
    expect(cache.residentBytes).toBe(0);
  });
});
