import { afterAll, describe, expect, test } from 'vitest';
import type { CachePolicy, KvCache, Tensor } from '../../src/native/backend.ts';
import { createCpuBackend } from '../../src/native/cpu.ts';

// With q = 0 all visible tokens weigh the same, and the value of token t is t: the output is the mean of the visible positions.
const [HEAD_DIM, SINK] = [8, 64];
const backend = createCpuBackend({ threads: 2 });
afterAll(() => backend.dispose());

function cacheOf(policy: CachePolicy, capacities: readonly number[]): KvCache {
  return backend.kvCache({
    policy,
    sequences: 2,
    layers: 1,
    kvHeads: 2,
    headDim: HEAD_DIM,
    dtype: 'f32',
    sink: SINK,
    capacities: policy === 'dynamic' ? new Int32Array(0) : Int32Array.from([...capacities, ...capacities]),
  });
}

/** Values [count, 2, D] that are their token's position. */
function values(first: number, count: number): Tensor {
  const tensor = backend.tensor('f32', [count, 2, HEAD_DIM]);
  tensor.write(Float32Array.from({ length: count * 2 * HEAD_DIM }, (_, i) => first + Math.floor(i / (2 * HEAD_DIM))));
  return tensor;
}

function append(cache: KvCache, first: number, count: number): void {
  const k = backend.tensor('f32', [count, 2, HEAD_DIM]);
  backend.cacheAppend({ cache, layer: 0, k, v: values(first, count), segments: Int32Array.of(0, count, first, 1) });
  backend.cacheAdvance({ cache, sequences: Int32Array.of(1), counts: Int32Array.of(count) });
}

/** One decode step of sequence 1 at `position`: the mean visible position per head. */
async function decode(cache: KvCache, position: number): Promise<readonly number[]> {
  const q = backend.tensor('f32', [1, 2, HEAD_DIM]);
  const out = backend.tensor('f32', [1, 2, HEAD_DIM]);
  const inverseFrequencies = backend.tensor('f32', [HEAD_DIM / 2]);
  const sequences = Int32Array.of(1);
  const k = backend.tensor('f32', [1, 2, HEAD_DIM]);
  backend.decodeAppend({ cache, layer: 0, q, k, v: values(position, 1), sequences, inverseFrequencies, scale: 1 });
  backend.attentionDecode({ cache, layer: 0, q, out, sequences, scale: 1 });
  backend.cacheAdvance({ cache, sequences, counts: Int32Array.of(1) });
  const means = await out.read();
  return [means[0] as number, means[HEAD_DIM] as number];
}

function meanVisible(position: number, window: number): number {
  const seen = Array.from({ length: position + 1 }, (_, j) => j).filter((j) => j < SINK || position - j < window);
  return seen.reduce((sum, j) => sum + j, 0) / seen.length;
}

describe.each([
  { policy: 'ring', capacities: [128, 256], windows: [64, 192] },
  { policy: 'full', capacities: [1024, 1024], windows: [Infinity, Infinity] },
  { policy: 'dynamic', capacities: [], windows: [Infinity, Infinity] },
] as const)('$policy', ({ policy, capacities, windows }) => {
  test('holds the tokens that the mask lets be seen, appended at once, in chunks and one by one', async () => {
    const cache = cacheOf(policy, capacities);
    let length = 0;
    for (const chunk of [3, 100, 1, 400, 70]) {
      append(cache, length, chunk);
      length += chunk;
      for (let step = 0; step < 3; step++) {
        const means = await decode(cache, length);
        windows.forEach((window, head) => {
          expect(means[head]).toBeCloseTo(meanVisible(length, window), 2);
        });
        length += 1;
      }
    }
    expect(await cache.lengths()).toEqual(Int32Array.of(0, length));
    cache.reset(1);
    append(cache, 0, 5);
    expect((await decode(cache, 5))[0]).toBeCloseTo(2.5, 5);
  });
});

describe('validation', () => {
  test('positions go on where the sequence ends', () => {
    const cache = cacheOf('ring', [128, 128]);
    append(cache, 0, 10);
    expect(() => append(cache, 9, 1)).toThrow(
      'Expected first position 10 (the length of sequence 1) for cacheAppend.segments but received 9',
    );
  });

  test('a full cache does not overflow', () => {
    const cache = cacheOf('full', [256, 128]);
    append(cache, 0, 128);
    expect(() => append(cache, 128, 1)).toThrow(
      'Expected at most 128 tokens (the capacity of sequence 1, layer 0, KV head 1) for cacheAppend.cache but received 129',
    );
  });

  test('decoding without an append fails on the stream', async () => {
    const cache = cacheOf('ring', [128, 128]);
    const q = backend.tensor('f32', [1, 2, HEAD_DIM]);
    backend.attentionDecode({ cache, layer: 0, q, out: backend.tensor('f32', [1, 2, HEAD_DIM]), sequences: Int32Array.of(0), scale: 1 });
    await expect(backend.synchronize()).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('Expected 1 appended tokens for layer 0, sequence 0 of the KV cache but received 0'),
    });
  });
});
