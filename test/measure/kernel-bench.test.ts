import { expect, test } from 'vitest';
import { runKernelBench } from '../../src/measure/kernel-bench.ts';
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

test('on a GPU every timing starts after a reading of other data', async () => {
  const { backend, calls, dtypes } = recorder('cuda events');
  const report = await runKernelBench(backend, { ...SHAPE, rounds: 2 });
  expect(report).toMatchObject({ timer: 'cuda events', coldCache: true, shape: SHAPE });
  const timed = calls.flatMap((call, i) => (call === 'time' ? [calls[i - 1]] : []));
  expect(timed).toHaveLength(9 * (2 + 2));
  expect(new Set(timed)).toEqual(new Set(['argmax']));
  expect(dtypes).toEqual(new Set(['bf16', 'f32', 'i32'])); // f32: the ceiling's
  expect(report.text).toContain('by cuda events, cold cache');
});

test('on the host nothing is evicted, and rates are shares of the same run', async () => {
  const { backend, calls } = recorder('stream thread clock');
  const report = await runKernelBench(backend, { ...SHAPE, rounds: 2 });
  expect(report.coldCache).toBe(false);
  expect(calls.filter((call) => call === 'argmax')).toHaveLength(2 + 2);
  const [ceiling, dense] = report.results;
  expect(ceiling).toMatchObject({ id: 'read ceiling', medianMs: 1, gigabytesPerSecond: 268.435456, shareOfReadCeiling: 1 });
  // Keys and values of 2 sequences, 4 heads, 1024 tokens, 64 dimensions, 2 bytes: as long as 256 MiB took.
  const share = (2 * 4 * 1024 * 64 * 2 * 2) / 2 ** 28;
  expect(dense).toMatchObject({ id: 'decode dense', shareOfReadCeiling: share });
  expect(report.ratios.find(({ name }) => name === 'decode dense: share of the read ceiling')?.estimate).toBeCloseTo(share, 12);
});
