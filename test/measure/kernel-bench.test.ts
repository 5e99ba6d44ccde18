import { expect, test } from 'vitest';
import { runKernelBench } from '../../src/measure/kernel-bench.ts';
import { lastLevelCacheMiB } from '../../src/measure/last-level-cache.ts';
import type { Backend, BackendTraits, Tensor } from '../../src/native/backend.ts';

const SHAPE = { heads: 8, kvHeads: 4, headDim: 64, batch: 2, tokens: 1024, kvDType: 'bf16', activations: 'bf16' } as const;

/** A backend that computes nothing, writes down what is enqueued, and takes a millisecond for whatever is timed. */
function recorder(timer: BackendTraits['timer']) {
  const calls: string[] = [];
  const dtypes = new Set<string>();
  const tensor = (dtype: string, shape: readonly number[]): Tensor =>
    ({ dtype, shape, rows: (_: number, rows: number) => tensor(dtype, [rows]), dispose: () => {} }) as unknown as Tensor;
  const known = {
    name: 'cuda',
    description: 'a recorder',
    traits: { halfActivations: true, graphs: true, timer },
    tensor: (dtype: string, shape: readonly number[]) => {
      dtypes.add(dtype);
      return tensor(dtype, shape);
    },
    kvCache: () => ({ dispose: () => {} }),
    time: async (enqueue: () => void) => {
      calls.push('time');
      enqueue();
      return 1;
    },
  };
  const backend = new Proxy(known, { get: (target, key) => Reflect.get(target, key) ?? (() => calls.push(String(key))) });
  return { backend: backend as unknown as Backend, calls, dtypes };
}

test('every timing starts after a reading of other data, so that no kernel reads what it left in a cache', async () => {
  for (const timer of ['cuda events', 'stream thread clock'] as const) {
    const { backend, calls } = recorder(timer);
    await runKernelBench(backend, { ...SHAPE, rounds: 2 });
    const timed = calls.flatMap((call, i) => (call === 'time' ? [calls[i - 1]] : []));
    expect(timed).toHaveLength(9 * (2 + 2));
    expect(new Set(timed)).toEqual(new Set(['argmax']));
  }
});

test('a GPU is asked for the dtypes that were asked for', async () => {
  const { backend, dtypes } = recorder('cuda events');
  const report = await runKernelBench(backend, { ...SHAPE, rounds: 2 });
  expect(report).toMatchObject({ timer: 'cuda events', evictedMiB: 288, ceilingMiB: 4096, shape: SHAPE });
  expect(dtypes).toEqual(new Set(['bf16', 'f32', 'i32'])); // f32: the ceiling's
});

test("the host's ceiling is at least twice its last-level caches, and rates are shares of the same run", async () => {
  const { backend } = recorder('stream thread clock');
  const report = await runKernelBench(backend, { ...SHAPE, rounds: 2 });
  const mebibytes = Math.max(256, 2 * lastLevelCacheMiB());
  expect(report).toMatchObject({ ceilingMiB: mebibytes, evictedMiB: mebibytes });
  const [ceiling, dense] = report.results;
  expect(ceiling).toMatchObject({ id: 'read ceiling', medianMs: 1, shareOfReadCeiling: 1 });
  // Keys and values of 2 sequences, 4 heads, 1024 tokens, 64 dimensions, 2 bytes: as long as the ceiling's mebibytes took.
  const share = (2 * 4 * 1024 * 64 * 2 * 2) / (mebibytes * 2 ** 20);
  expect(dense).toMatchObject({ id: 'decode dense', shareOfReadCeiling: expect.closeTo(share, 12) });
  expect(report.ratios.find(({ name }) => name === 'decode dense: share of the read ceiling')?.estimate).toBeCloseTo(share, 12);
});

test('two rounds have no interval, and say so; six have one', async () => {
  const few = await runKernelBench(recorder('cuda events').backend, { ...SHAPE, rounds: 2 });
  expect(few.ratios[0]).toMatchObject({ estimate: 1, low: null, high: null, rounds: 2 });
  expect(few.text).toContain('1.000 (too few rounds for an interval) n=2');
  const enough = await runKernelBench(recorder('cuda events').backend, { ...SHAPE, rounds: 6 });
  expect(enough.text).toContain('1.000 [1.000, 1.000] n=6');
});

test('a kernel that seems to read faster than memory is marked', async () => {
  const { backend } = recorder('stream thread clock');
  const report = await runKernelBench(backend, { ...SHAPE, tokens: 1024 * 1024, batch: 8, rounds: 2 });
  expect(report.text).toContain('above the ceiling');
});
