import { afterAll, describe, expect, test } from 'vitest';
import { Rng } from '../../src/core/rng.ts';
import type { DType, Tensor } from '../../src/native/backend.ts';
import { createCpuBackend } from '../../src/native/cpu.ts';

// Simple ops against their formulas in float64, at a small size and at one past the threshold where OpenMP sets in.
const backend = createCpuBackend({ threads: 2 });
afterAll(() => backend.dispose());

const rng = new Rng('pointwise');
const TOLERANCE = 2e-6; // f32 elementary functions and sums of at most a few hundred terms, relative to the largest value
const ROWS = [3, 300];

function random(length: number, scale = 1): Float32Array {
  return Float32Array.from({ length }, () => (rng.random() * 2 - 1) * scale);
}

function upload(
  shape: readonly number[],
  data: Float32Array | Int32Array,
  dtype: DType = data instanceof Int32Array ? 'i32' : 'f32',
): Tensor {
  const tensor = backend.tensor(dtype, shape);
  tensor.write(data);
  return tensor;
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(actual.length).toBe(expected.length);
  const scale = Math.max(1, ...Array.from(expected, Math.abs));
  const worst = Array.from(actual, (x, i) => Math.abs(x - (expected[i] as number)) / scale).reduce((a, b) => Math.max(a, b), 0); // NaN stays
  expect(worst).toBeLessThanOrEqual(TOLERANCE);
}

const rowsOf = (data: Float32Array, width: number): Float32Array[] =>
  Array.from({ length: data.length / width }, (_, i) => data.subarray(i * width, (i + 1) * width));

function plainRmsNorm(x: Float32Array, weight: Float32Array, epsilon: number): number[] {
  const width = weight.length;
  return rowsOf(x, width).flatMap((row) => {
    const scale = 1 / Math.sqrt(row.reduce((sum, v) => sum + v * v, 0) / width + epsilon);
    return Array.from(row, (v, c) => v * scale * (weight[c] as number));
  });
}

describe.each(ROWS)('%i rows', (rows) => {
  test('rmsNorm, in place and with a residual, in rows and in heads', async () => {
    const [width, epsilon] = [96, 1e-5];
    const [x, y, weight] = [random(rows * width), random(rows * width), random(width)];
    const out = upload([rows, width], x);
    backend.rmsNorm({ x: out, weight: upload([width], weight), out, epsilon });
    expectClose(await out.read(), plainRmsNorm(x, weight, epsilon));
    const residual = upload([rows, width], y);
    const input = upload([rows, width], x);
    backend.rmsNorm({ x: input, weight: upload([width], weight), out, epsilon, residual });
    const sum = x.map((v, i) => v + (y[i] as number));
    expectClose(await residual.read(), sum);
    expectClose(await out.read(), plainRmsNorm(sum, weight, epsilon));
    const heads = upload([rows, 12, 8], x);
    backend.rmsNorm({ x: heads, weight: upload([8], weight.slice(0, 8)), out: heads, epsilon });
    expectClose(await heads.read(), plainRmsNorm(x, weight.slice(0, 8), epsilon));
  });

  test('rmsNormBackward, accumulated', async () => {
    const [width, epsilon] = [40, 1e-6];
    const [x, g, before, weight] = [random(rows * width), random(rows * width), random(rows * width), random(width)];
    const gradX = upload([rows, width], before);
    backend.rmsNormBackward({
      x: upload([rows, width], x),
      weight: upload([width], weight),
      gradOut: upload([rows, width], g),
      gradX,
      epsilon,
      accumulate: true,
    });
    const expected = rowsOf(x, width).flatMap((row, t) => {
      const r = 1 / Math.sqrt(row.reduce((sum, v) => sum + v * v, 0) / width + epsilon);
      const gw = Array.from(row, (_, c) => (g[t * width + c] as number) * (weight[c] as number));
      const along = gw.reduce((sum, v, c) => sum + v * (row[c] as number), 0) / width;
      return gw.map((v, c) => (before[t * width + c] as number) + r * (v - (row[c] as number) * r * r * along));
    });
    expectClose(await gradX.read(), expected);
  });

  test('siluMul and its backward', async () => {
    const width = 33;
    const gateUp = random(rows * 2 * width, 12);
    const gradOut = random(rows * width);
    const out = backend.tensor('f32', [rows, width]);
    const gradGateUp = backend.tensor('f32', [rows, 2 * width]);
    const input = upload([rows, 2 * width], gateUp);
    backend.siluMul({ gateUp: input, out });
    backend.siluMulBackward({ gateUp: input, gradOut: upload([rows, width], gradOut), gradGateUp });
    const pairs = rowsOf(gateUp, 2 * width).map((row) =>
      Array.from({ length: width }, (_, i) => [row[i] as number, row[width + i] as number] as const),
    );
    const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
    expectClose(
      await out.read(),
      pairs.flat().map(([gate, up]) => gate * sigmoid(gate) * up),
    );
    const expected = pairs.flatMap((row, t) => {
      const d = row.map((_, i) => gradOut[t * width + i] as number);
      const gates = row.map(([g, u], i) => (d[i] as number) * u * sigmoid(g) * (1 + g * (1 - sigmoid(g))));
      return [...gates, ...row.map(([g], i) => (d[i] as number) * g * sigmoid(g))];
    });
    expectClose(await gradGateUp.read(), expected);
  });

  test('logSoftmax, crossEntropy and its gradient', async () => {
    const vocabulary = 130;
    const logits = random(rows * vocabulary, 30);
    const targets = Int32Array.from({ length: rows }, (_, t) => (t % 3 === 2 ? -1 : (t * 7) % vocabulary));
    const x = upload([rows, vocabulary], logits);
    const out = backend.tensor('f32', [rows, vocabulary]);
    const losses = backend.tensor('f32', [rows]);
    backend.logSoftmax({ logits: x, out });
    backend.crossEntropy({ logits: x, targets: upload([rows], targets), losses, gradLogits: x, gradScale: 0.5 });
    const logProbabilities = rowsOf(logits, vocabulary).map((row) => {
      const largest = Math.max(...row);
      const normalizer = largest + Math.log(row.reduce((sum, v) => sum + Math.exp(v - largest), 0));
      return Array.from(row, (v) => v - normalizer);
    });
    expectClose(await out.read(), logProbabilities.flat());
    expectClose(
      await losses.read(),
      Array.from(targets, (target, t) => (target < 0 ? 0 : -(logProbabilities[t]?.[target] as number))),
    );
    const gradient = logProbabilities.flatMap((row, t) =>
      row.map((v, c) => (targets[t] === -1 ? 0 : 0.5 * (Math.exp(v) - (c === targets[t] ? 1 : 0)))),
    );
    expectClose(await x.read(), gradient);
  });

  test('rope turns pairs (i, i + D / 2) by position * frequency, and its inverse turns back', async () => {
    const [heads, kvHeads, headDim, first] = [3, 1, 16, 8100];
    const half = headDim / 2;
    const q = random(rows * heads * headDim);
    const frequencies = Float32Array.from({ length: half }, (_, i) => 10000 ** (-i / half));
    const tensors = { q: upload([rows, heads, headDim], q), k: upload([rows, kvHeads, headDim], random(rows * kvHeads * headDim)) };
    const params = { ...tensors, segments: Int32Array.of(0, rows, first, 0), inverseFrequencies: upload([half], frequencies) };
    backend.rope({ ...params, scale: 2 });
    const expected = rowsOf(q, headDim).flatMap((vector, index) => {
      const position = first + Math.floor(index / heads);
      return Array.from(vector, (_, d) => {
        const angle = Math.fround(position * (frequencies[d % half] as number));
        const [low, high] = [vector[d % half] as number, vector[(d % half) + half] as number];
        return 2 * (d < half ? low * Math.cos(angle) - high * Math.sin(angle) : high * Math.cos(angle) + low * Math.sin(angle));
      });
    });
    expectClose(await tensors.q.read(), expected);
    backend.rope({ ...params, scale: 0.5, inverse: true });
    expectClose(await tensors.q.read(), q);
  });

  test.each(['f32', 'f16', 'bf16'] as const)('embedding from a %s table', async (dtype) => {
    const [vocabulary, width] = [11, 64];
    const table = upload([vocabulary, width], random(vocabulary * width), dtype);
    const ids = Int32Array.from({ length: rows }, (_, t) => (t === 1 ? vocabulary : t === 2 ? -1 : t % vocabulary));
    const out = backend.tensor('f32', [rows, width]);
    backend.embedding({ ids: upload([rows], ids), table, out });
    const stored = rowsOf((await table.read()) as Float32Array, width);
    const nan = new Array<number>(width).fill(Number.NaN);
    expect(Array.from(await out.read())).toEqual(Array.from(ids).flatMap((id) => Array.from(stored[id] ?? nan)));
  });

  test('gatherRows and scatterRows', async () => {
    const x = upload([rows, 70], random(rows * 70));
    const order = Int32Array.from({ length: rows }, (_, i) => rows - 1 - i);
    const [gathered, scattered] = [backend.tensor('f32', [rows, 70]), backend.tensor('f32', [rows, 70])];
    backend.gatherRows({ x, out: gathered, rows: order });
    backend.scatterRows({ x: gathered, out: scattered, rows: order });
    expect(await scattered.read()).toEqual(await x.read());
    expect(await gathered.rows(0, 1).read()).toEqual(await x.rows(rows - 1, 1).read());
  });
});

describe('special values', () => {
  test('argmax: lowest of equals, -1 for a row with NaN', async () => {
    const width = 67;
    const rows = Array.from({ length: 5 }, () => new Float32Array(width).fill(-3));
    rows[0]?.set([2, 2], 20);
    rows[1]?.set([Number.NaN], 66);
    rows[2]?.fill(-Infinity);
    rows[3]?.set([Number.NaN], 0);
    rows[4]?.set([Infinity], 66);
    const out = backend.tensor('i32', [5]);
    backend.argmax({ logits: upload([5, width], Float32Array.from(rows.flatMap((row) => Array.from(row)))), out });
    expect(await out.read()).toEqual(Int32Array.of(20, -1, 0, -1, 66));
  });

  test('NaN and infinity pass through', async () => {
    const gateUp = upload([1, 6], Float32Array.of(Number.NaN, 100, -200, 1, 2, 3));
    const out = backend.tensor('f32', [1, 3]);
    backend.siluMul({ gateUp, out });
    expect(await out.read()).toEqual(Float32Array.of(Number.NaN, 200, -0));
    const logits = upload([3, 2], Float32Array.of(Number.NaN, 0, 1e30, -1e30, -Infinity, 5));
    const logProbabilities = backend.tensor('f32', [3, 2]);
    backend.logSoftmax({ logits, out: logProbabilities });
    expect(await logProbabilities.read()).toEqual(Float32Array.of(Number.NaN, Number.NaN, 0, -2e30, -Infinity, 0));
    const x = upload([1, 2], Float32Array.of(Number.NaN, 1));
    backend.rmsNorm({ x, weight: upload([2], Float32Array.of(1, 1)), out: x, epsilon: 0 });
    expect(await x.read()).toEqual(Float32Array.of(Number.NaN, Number.NaN));
    backend.fill({ out: x, value: Number.NaN });
    expect(await x.read()).toEqual(Float32Array.of(Number.NaN, Number.NaN));
  });

  test('a target outside the vocabulary gives NaN, not a crash', async () => {
    const losses = backend.tensor('f32', [2]);
    const logits = upload([2, 3], random(6));
    backend.crossEntropy({ logits, targets: upload([2], Int32Array.of(3, -2)), losses });
    expect(await losses.read()).toEqual(Float32Array.of(Number.NaN, Number.NaN));
  });
});
