// Prefill and decode on the cpu backend against float64 loops over random data: every mask edge, chunking, policy, dtype and group.
import { afterAll, describe, expect, test } from 'vitest';
import type { Backend, CachePolicy, FloatDType, KvCache, Tensor } from '../../src/native/backend.ts';
import { createCpuBackend } from '../../src/native/cpu.ts';
import { attentionOutput, attentionWeights, kvHeadOf, largestError, randomSequence, type Sequence } from './attention-loops.ts';

const TOLERANCE = 5e-6; // f32 sums over a few hundred keys, outputs below 2
const cpu = createCpuBackend({ threads: 2 });
afterAll(() => cpu.dispose());

interface Setting {
  readonly policy?: CachePolicy; // none: no cache, one chunk
  readonly capacities?: readonly number[]; // per KV head
  readonly sink?: number;
  readonly dtype?: FloatDType;
  readonly chunks: readonly number[];
  readonly decoded?: number;
}

function views(s: Sequence, qkv: Tensor) {
  const [q, k] = [s.heads * s.headDim, s.kvHeads * s.headDim];
  const columns = (start: number, heads: number) => qkv.columns(start, [heads, s.headDim]);
  return { q: columns(0, s.heads), k: columns(q, s.kvHeads), v: columns(q + k, s.kvHeads) };
}

function cacheFor(backend: Backend, s: Sequence, { policy, capacities, sink = 0, dtype = 'f32' }: Setting): KvCache | undefined {
  if (policy === undefined) return undefined;
  const slots = policy === 'dynamic' ? [] : (capacities ?? Array.from({ length: s.kvHeads }, () => 64 * Math.ceil((s.tokens + 1) / 64)));
  return backend.kvCache({
    policy,
    sequences: 2,
    layers: 1,
    kvHeads: s.kvHeads,
    headDim: s.headDim,
    dtype,
    sink,
    capacities: Int32Array.from([...slots, ...slots]),
  });
}

/** Outputs [N, H, D] and log-sum-exps [prefilled, H] of the backend, the sequence run in chunks, then token by token. */
async function run(s: Sequence, setting: Setting, backend = cpu) {
  const qkv = backend.tensor('f32', [s.tokens, (s.heads + 2 * s.kvHeads) * s.headDim]);
  qkv.write(s.qkv);
  const out = backend.tensor('f32', [s.tokens, s.heads, s.headDim]);
  const cache = cacheFor(backend, s, setting);
  const prefilled = s.tokens - (setting.decoded ?? 0);
  const logSumExp = backend.tensor('f32', [prefilled, s.heads]);
  const scale = 1 / Math.sqrt(s.headDim);
  for (let first = 0, i = 0; first < prefilled; i++) {
    const count = Math.min(setting.chunks[i % setting.chunks.length] as number, prefilled - first);
    const { q, k, v } = views(s, qkv.rows(first, count));
    const segments = Int32Array.of(0, count, first, cache === undefined ? 0 : 1);
    const place = { out: out.rows(first, count), logSumExp: logSumExp.rows(first, count) };
    backend.attentionPrefill({ q, k, v, ...place, segments, scale, ...(cache && { cache, layer: 0 }) });
    if (cache !== undefined) {
      backend.cacheAppend({ cache, layer: 0, k, v, segments });
      backend.cacheAdvance({ cache, sequences: Int32Array.of(1), counts: Int32Array.of(count) });
    }
    first += count;
  }
  const inverseFrequencies = backend.tensor('f32', [s.headDim / 2]); // zeros: no rotation
  for (let t = prefilled; cache !== undefined && t < s.tokens; t++) {
    const { q, k, v } = views(s, qkv.rows(t, 1));
    const sequences = Int32Array.of(1);
    backend.decodeAppend({ cache, layer: 0, q, k, v, sequences, inverseFrequencies, scale: 1 });
    backend.attentionDecode({ cache, layer: 0, q, out: out.rows(t, 1), sequences, scale });
    backend.cacheAdvance({ cache, sequences, counts: Int32Array.of(1) });
  }
  const result = { out: await out.read(), logSumExp: await logSumExp.read() };
  for (const tensor of [qkv, out, logSumExp, inverseFrequencies]) tensor.dispose();
  cache?.dispose();
  return result;
}

function expected(s: Sequence, { policy, capacities, sink = 0, decoded = 0 }: Setting) {
  const [out, logSumExp]: [number[], number[]] = [[], []];
  for (let i = 0; i < s.tokens; i++) {
    for (let head = 0; head < s.heads; head++) {
      const window = policy === 'ring' && capacities ? (capacities[kvHeadOf(s, head)] as number) - sink : Infinity;
      const row = attentionWeights(s, head, i, (j) => j < sink || i - j < window);
      out.push(...attentionOutput(s, head, row.weights));
      if (i < s.tokens - decoded) logSumExp.push(row.logSumExp);
    }
  }
  return { out, logSumExp };
}

async function expectLoops(s: Sequence, setting: Setting): Promise<void> {
  const [actual, loops] = [await run(s, setting), expected(s, setting)];
  expect({ out: largestError(actual.out, loops.out), logSumExp: largestError(actual.logSumExp, loops.logSumExp) }).toSatisfy(
    (error: { out: number; logSumExp: number }) => error.out <= TOLERANCE && error.logSumExp <= TOLERANCE,
  );
}

const SHAPE = { tokens: 230, heads: 2, kvHeads: 2, headDim: 8 };

test.each([1, 8, 23, 24, 25, 64, 97, 200])('no cache, %i tokens', (tokens) =>
  expectLoops(randomSequence({ ...SHAPE, tokens }), { chunks: [tokens] }),
);

describe.each(['f32', 'f16', 'bf16'] as const)('%s cache', (dtype) => {
  test.each([
    { policy: 'ring', sink: 64, capacities: [128, 192], chunks: [1000], decoded: 70 }, // one chunk longer than the windows
    { policy: 'ring', sink: 64, capacities: [128, 192], chunks: [37, 100, 1, 64] }, // boundaries anywhere, the ring wraps
    { policy: 'ring', sink: 0, capacities: [64, 128], chunks: [90, 13] },
    { policy: 'ring', sink: 128, capacities: [192, 320], chunks: [50, 61], decoded: 100 }, // sinks filled by several chunks
    { policy: 'ring', sink: 64, capacities: [128, 128], chunks: [1], decoded: 5 },
    { policy: 'full', chunks: [77, 5], decoded: 40 },
    { policy: 'dynamic', chunks: [77, 5], decoded: 20 },
  ] as const)('$policy, sink $sink, capacities $capacities, chunks $chunks', (setting) =>
    expectLoops(randomSequence(SHAPE), { ...setting, dtype }),
  );
});

test.each([
  [3, 1, 32],
  [4, 2, 8],
  [8, 1, 24],
  [8, 2, 40],
  [2, 1, 96],
  [1, 1, 256],
] as const)('%i heads, %i KV heads, head dim %i', (heads, kvHeads, headDim) =>
  expectLoops(randomSequence({ tokens: 140, heads, kvHeads, headDim }), {
    policy: 'ring',
    sink: 64,
    capacities: [128, 192].slice(0, kvHeads),
    dtype: 'f16',
    chunks: [40, 27],
    decoded: 30,
  }),
);

test('a NaN key makes NaN of every row that sees it and of no other', async () => {
  const s = randomSequence({ ...SHAPE, heads: 1, kvHeads: 1 });
  s.qkv[100 * 3 * SHAPE.headDim + SHAPE.headDim] = NaN;
  const setting: Setting = { policy: 'ring', sink: 64, capacities: [128], chunks: [70, 60], decoded: 60 };
  const { out } = await run(s, setting);
  const rowsWithNaN = Array.from({ length: s.tokens }, (_, i) => i).filter((i) => Number.isNaN(out[i * SHAPE.headDim]));
  expect(rowsWithNaN).toEqual(Array.from({ length: 64 }, (_, i) => 100 + i));
});

test('the number of threads does not change a bit', async () => {
  const s = randomSequence({ tokens: 700, heads: 4, kvHeads: 2, headDim: 32 });
  const setting: Setting = { policy: 'ring', sink: 64, capacities: [128, 640], chunks: [500], decoded: 3 };
  const single = createCpuBackend({ threads: 1 });
  expect(await run(s, setting, single)).toEqual(await run(s, setting));
  await single.dispose();
});
