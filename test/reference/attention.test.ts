import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Stage, segmentsOf } from '../../src/conformance/stage.ts';
import { Rng } from '../../src/core/rng.ts';
import type { Backend, Tensor } from '../../src/native/backend.ts';
import { createTfjsBackend } from '../../src/reference/tfjs-backend.ts';
import { dot, type PlainInput, plainOutput, plainProbabilities } from './plain-attention.ts';

const [TOKENS, HEADS, KV_HEADS, HEAD_DIM, SCALE] = [150, 2, 1, 8, 0.4];
const SIZES = { tokens: TOKENS, heads: HEADS, kvHeads: KV_HEADS, headDim: HEAD_DIM, scale: SCALE };

let backend: Backend;
let stage: Stage;
beforeAll(async () => {
  backend = await createTfjsBackend();
  stage = new Stage(backend, new Rng('attention'));
});
afterAll(() => {
  stage.dispose();
  return backend.dispose();
});

async function plainInput(tensors: { readonly q: Tensor; readonly k: Tensor; readonly v: Tensor }): Promise<PlainInput> {
  return { q: await tensors.q.read(), k: await tensors.k.read(), v: await tensors.v.read(), ...SIZES };
}

/** Every output row [N, H, D] with the mask j < sink or i - j < window. */
function plainAttention(input: PlainInput, sink: number, window: number): number[] {
  const rows: number[] = [];
  for (let i = 0; i < TOKENS; i++) {
    for (let head = 0; head < HEADS; head++) {
      rows.push(
        ...plainOutput(
          input,
          head,
          plainProbabilities(input, head, i, (j) => j < sink || i - j < window),
        ),
      );
    }
  }
  return rows;
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  const scale = Math.max(...Array.from(expected, Math.abs));
  const errors = Array.from(actual, (x, i) => Math.abs(x - (expected[i] as number)));
  expect(actual.length).toBe(expected.length);
  expect(Math.max(...errors) / scale).toBeLessThan(tolerance);
}

describe('attention against plain loops', () => {
  test('dense prefill, with its log-sum-exp', async () => {
    const qkv = stage.fusedQkv(TOKENS, SIZES);
    const [out, logSumExp] = [stage.poisoned([TOKENS, HEADS, HEAD_DIM]), stage.poisoned([TOKENS, HEADS])];
    backend.attentionPrefill({ ...qkv, out, logSumExp, segments: segmentsOf([0, TOKENS, 0, 0]), scale: SCALE });
    const input = await plainInput(qkv);
    expectClose(await out.read(), plainAttention(input, 0, Infinity), 1e-5);
    const first = SCALE * dot(input.q, 0, input.k, 0, HEAD_DIM); // one key: its score
    expect((await logSumExp.read())[0]).toBeCloseTo(first, 5);
  });

  test('chunks, then decode steps, through a ring of 64 sinks and a window of 64', async () => {
    const qkv = stage.fusedQkv(TOKENS, SIZES);
    const spec = { policy: 'ring', sequences: 1, layers: 1, kvHeads: KV_HEADS, headDim: HEAD_DIM, dtype: 'f32', sink: 64 } as const;
    const cache = stage.kvCache({ ...spec, capacities: Int32Array.of(128) });
    const out = stage.poisoned([TOKENS, HEADS, HEAD_DIM]);
    const still = stage.of(new Float32Array(HEAD_DIM / 2), [HEAD_DIM / 2]); // no rotation
    const input = await plainInput(qkv);
    for (const [start, rows] of [
      [0, 50],
      [50, 91],
    ] as const) {
      const [q, k, v, part] = [qkv.q, qkv.k, qkv.v, out].map((x) => x.rows(start, rows)) as [Tensor, Tensor, Tensor, Tensor];
      const segments = segmentsOf([0, rows, start, 0]);
      backend.attentionPrefill({ q, k, v, out: part, segments, scale: SCALE, cache, layer: 0 });
      backend.cacheAppend({ cache, layer: 0, k, v, segments });
      backend.cacheAdvance({ cache, sequences: Int32Array.of(0), counts: Int32Array.of(rows) });
    }
    for (let row = 141; row < TOKENS; row++) {
      const [q, k, v, part] = [qkv.q, qkv.k, qkv.v, out].map((x) => x.rows(row, 1)) as [Tensor, Tensor, Tensor, Tensor];
      const sequences = Int32Array.of(0);
      backend.decodeAppend({ cache, layer: 0, q, k, v, sequences, inverseFrequencies: still, scale: 1 });
      backend.attentionDecode({ cache, layer: 0, q, out: part, sequences, scale: SCALE });
      backend.cacheAdvance({ cache, sequences, counts: Int32Array.of(1) });
    }
    expectClose(await out.read(), plainAttention(input, 64, 64), 1e-5);
    expect(await cache.lengths()).toEqual(Int32Array.of(TOKENS));
  });

  test.each([
    [140, false], // positions 64 to 75 are behind the window of the last 64
    [139, true], // position 75 is its first
  ])('after %i tokens, NaN at positions 64 to 75 of a window of 64 are seen: %s', async (tokens, isSeen) => {
    const spec = { policy: 'ring', sequences: 1, layers: 1, kvHeads: KV_HEADS, headDim: HEAD_DIM, dtype: 'f32', sink: 64 } as const;
    const cache = stage.kvCache({ ...spec, capacities: Int32Array.of(128) });
    const values = stage.normals(tokens * HEAD_DIM);
    values.fill(Number.NaN, 64 * HEAD_DIM, 76 * HEAD_DIM);
    const kv = stage.of(values, [tokens, KV_HEADS, HEAD_DIM]);
    const sequences = Int32Array.of(0);
    backend.cacheAppend({ cache, layer: 0, k: kv, v: kv, segments: segmentsOf([0, tokens, 0, 0]) });
    backend.cacheAdvance({ cache, sequences, counts: Int32Array.of(tokens - 1) }); // the last token is the query's own
    const [q, out] = [stage.normal([1, HEADS, HEAD_DIM]), stage.poisoned([1, HEADS, HEAD_DIM])];
    backend.attentionDecode({ cache, layer: 0, q, out, sequences, scale: SCALE });
    expect([...(await out.read())].map(Number.isNaN)).toEqual(new Array(HEADS * HEAD_DIM).fill(isSeen));
  });
});

describe('influence against plain loops', () => {
  test.each([0, 64])('elementwise and joint sums, sink %i', async (sink) => {
    const qkv = stage.fusedQkv(TOKENS, SIZES);
    const [out, logSumExp, gradOut] = [
      stage.poisoned([TOKENS, HEADS, HEAD_DIM]),
      stage.poisoned([TOKENS, HEADS]),
      stage.normal([TOKENS, HEADS, HEAD_DIM]),
    ];
    const call = { ...qkv, out, logSumExp, segments: segmentsOf([0, TOKENS, 0, 0]), scale: SCALE };
    backend.attentionPrefill(call);
    const zeros = (): Tensor => stage.of(new Float32Array(3), [1, 3]);
    const [elementwise, elementwiseSink, joint] = [zeros(), zeros(), zeros()];
    backend.influence({ ...call, gradOut, sink, epsilon: 0.01, elementwise, elementwiseSink, joint });
    const expected = plainInfluence(await plainInput(qkv), (await gradOut.read()) as Float32Array, sink, 0.01);
    expectClose(await elementwise.read(), expected.elementwise, 1e-4);
    if (sink > 0) expectClose(await elementwiseSink.read(), expected.elementwiseSink, 1e-4);
    else expect([...(await elementwiseSink.read())]).toEqual([0, 0, 0]);
    expectClose(await joint.read(), expected.joint, 1e-4);
  });
});

/**
 * MoA Eq. 3 in its first form, E_ij = -G A + sum over n != j of G A * A_ij / (1 - A_ij), epsilon in the denominator; the joint
 * criterion as the change of the row's linear loss when the softmax is taken again without the masked keys.
 */
function plainInfluence(
  input: PlainInput,
  gradOut: Float32Array,
  sink: number,
  epsilon: number,
): { readonly elementwise: number[]; readonly elementwiseSink: number[]; readonly joint: number[] } {
  const [elementwise, elementwiseSink, joint] = [
    [0, 0, 0],
    [0, 0, 0],
    [0, 0, 0],
  ];
  for (let head = 0; head < HEADS; head++) {
    for (let i = 0; i < TOKENS; i++) {
      const at = (i * HEADS + head) * HEAD_DIM;
      const a = plainProbabilities(input, head, i, () => true);
      const g = a.map((_, j) => dot(gradOut, at, input.v, j * HEAD_DIM, HEAD_DIM));
      const dense = dot(gradOut, at, plainOutput(input, head, a), 0, HEAD_DIM);
      for (let j = 0; j <= i; j++) {
        const [aij, gij] = [a[j] as number, g[j] as number];
        const others = dense - gij * aij;
        const e = i === 0 ? -gij * aij : (-gij * aij * (1 - aij) + others * aij) / (epsilon + 1 - aij);
        const sums = j < sink ? elementwiseSink : elementwise;
        const bin = Math.floor((i - j) / 64);
        sums[bin] = (sums[bin] as number) + Math.abs(e);
      }
      for (let bin = 0; bin < 3; bin++) {
        const masked = plainProbabilities(input, head, i, (j) => j < sink || j === i || i - j < 64 * bin);
        joint[bin] = (joint[bin] as number) + Math.abs(dot(gradOut, at, plainOutput(input, head, masked), 0, HEAD_DIM) - dense);
      }
    }
  }
  return { elementwise, elementwiseSink, joint };
}
