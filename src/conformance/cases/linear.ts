import type { FloatDType, Tensor } from '../../native/backend.ts';
import { type ConformanceCase, caseName, EXACT, FLOAT32_ORDER, needs, storedAs, type Tolerance } from '../case.ts';
import type { Stage } from '../stage.ts';

const TENSOR_CORES: Tolerance = {
  relative: 2e-5,
  reason: 'exact products of 16-bit operands; tensor cores round float32 sums toward zero',
};

interface GemmShape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a?: FloatDType; // these three: f32 by default
  readonly b?: FloatDType;
  readonly out?: FloatDType;
  readonly transposeB?: boolean;
  readonly bias?: FloatDType;
  readonly accumulate?: boolean;
  /** a, b and out are column slices of wider tensors. */
  readonly strided?: boolean;
  /** The row of `a` that starts with a NaN. That row of `out` must be NaN, and no other. */
  readonly nanRow?: number;
}

export function gemm(shape: GemmShape): ConformanceCase {
  const { a = 'f32', out = 'f32' } = shape;
  const tolerance = storedAs(out, a === 'f32' ? FLOAT32_ORDER : TENSOR_CORES);
  return { op: 'gemm', name: caseName({ ...shape }), tolerance, ...needs(a, out), run: (stage) => runGemm(stage, shape) };
}

function runGemm(stage: Stage, shape: GemmShape): { out: Tensor } {
  const { m, n, k, transposeB = false, strided = false } = shape;
  const [bRows, bColumns] = transposeB ? [n, k] : [k, n];
  const margin = strided ? 5 : 0;
  const values = stage.normals(m * (k + margin));
  if (shape.nanRow !== undefined) values[shape.nanRow * (k + margin) + (strided ? 3 : 0)] = Number.NaN;
  const slice = (tensor: Tensor, columns: number): Tensor => (strided ? tensor.columns(3, [columns]) : tensor);
  const a = slice(stage.of(values, [m, k + margin], shape.a), k);
  const b = slice(stage.normal([bRows, bColumns + margin], { dtype: shape.b ?? 'f32' }), bColumns);
  const bias = shape.bias && stage.normal([n], { dtype: shape.bias });
  const size = [m, n + margin];
  const out = slice(shape.accumulate ? stage.normal(size, { dtype: shape.out ?? 'f32' }) : stage.poisoned(size, shape.out), n);
  stage.backend.gemm({ a, b, out, transposeB, ...(bias && { bias }), accumulate: shape.accumulate === true });
  return { out };
}

const DTYPES: readonly FloatDType[] = ['f32', 'f16', 'bf16'];

/**
 * M takes values around the sizes of register and cache tiles, N and K irregular ones. Both orientations of b and all its dtypes take
 * turns.
 */
function gemmLadder(): readonly ConformanceCase[] {
  const ms = [1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 17, 24, 31, 32, 33, 47, 48, 49, 63, 64, 65, 70];
  const ns = [129, 1, 7, 64, 33, 200, 16];
  const ks = [64, 257, 1, 3, 100, 17, 31, 128];
  return ms.map((m, i) =>
    gemm({
      m,
      n: ns[i % ns.length] as number,
      k: ks[i % ks.length] as number,
      b: DTYPES[i % 3] as FloatDType,
      transposeB: i % 2 === 0,
      accumulate: i % 5 === 1,
    }),
  );
}

interface RowsShape {
  readonly dtype: FloatDType | 'i32';
  readonly width: number;
  readonly total: number;
  readonly rows: readonly number[];
}

export function rowsCase(op: 'gatherRows' | 'scatterRows', shape: RowsShape): ConformanceCase {
  return {
    op,
    name: caseName({ ...shape }),
    tolerance: EXACT,
    run(stage) {
      const random = (rows: number): Tensor =>
        shape.dtype !== 'i32'
          ? stage.normal([rows, shape.width], { dtype: shape.dtype })
          : stage.ints(Array.from({ length: rows * shape.width }, () => stage.rng.int(-9, 9))).reshape([rows, shape.width]);
      const gathers = op === 'gatherRows';
      const x = random(gathers ? shape.total : shape.rows.length);
      const out = gathers ? stage.poisoned([shape.rows.length, shape.width], shape.dtype) : random(shape.total);
      stage.backend[op]({ x, out, rows: Int32Array.from(shape.rows) });
      return { out };
    },
  };
}

export function embedding(shape: {
  readonly dtype: FloatDType;
  readonly vocabulary: number;
  readonly width: number;
  readonly ids: readonly number[];
  readonly out?: FloatDType; // f32 by default
}): ConformanceCase {
  return {
    op: 'embedding',
    name: caseName(shape),
    tolerance: EXACT,
    ...needs(shape.out),
    run(stage) {
      const table = stage.normal([shape.vocabulary, shape.width], { dtype: shape.dtype });
      const out = stage.poisoned([shape.ids.length, shape.width], shape.out);
      stage.backend.embedding({ ids: stage.ints(shape.ids), table, out });
      return { out };
    },
  };
}

/** A copy between two dtypes, and between column slices. */
export function copy(shape: {
  readonly rows: number;
  readonly width: number;
  readonly x?: FloatDType;
  readonly out?: FloatDType;
}): ConformanceCase {
  return {
    op: 'copy',
    name: caseName(shape),
    tolerance: EXACT,
    ...needs(shape.x, shape.out),
    run(stage) {
      const values = stage.normals(shape.rows * (shape.width + 8), 1e3);
      values[3] = -Infinity;
      const x = stage.of(values, [shape.rows, shape.width + 8], shape.x);
      const out = stage.poisoned([shape.rows, shape.width + 8], shape.out);
      const sliced = stage.poisoned([shape.rows, shape.width], shape.out);
      stage.backend.copy({ x, out });
      stage.backend.copy({ x: x.columns(3, [shape.width]), out: sliced });
      return { out, sliced };
    },
  };
}

export function add(shape: {
  readonly rows: number;
  readonly width: number;
  readonly strided?: boolean;
  readonly x?: FloatDType; // both: f32 by default
  readonly y?: FloatDType;
}): ConformanceCase {
  return {
    op: 'add',
    name: caseName(shape),
    tolerance: EXACT,
    ...needs(shape.x, shape.y),
    run(stage) {
      const margin = shape.strided ? 6 : 0;
      const slice = (dtype: FloatDType = 'f32'): Tensor =>
        stage.normal([shape.rows, shape.width + margin], { dtype }).columns(margin / 2, [shape.width]);
      const [x, y] = [slice(shape.x), slice(shape.y)];
      stage.backend.add({ x, y });
      return { x, y };
    },
  };
}

export const LINEAR_CASES: readonly ConformanceCase[] = [
  ...gemmLadder(),
  gemm({ m: 131, n: 517, k: 260, transposeB: true }),
  gemm({ m: 257, n: 130, k: 515, b: 'bf16', transposeB: true, accumulate: true }),
  gemm({ m: 200, n: 97, k: 300, b: 'f16' }),
  gemm({ m: 1, n: 1031, k: 384, b: 'bf16', transposeB: true, bias: 'bf16' }),
  gemm({ m: 5, n: 66, k: 129, transposeB: true, bias: 'f32', accumulate: true }),
  gemm({ m: 67, n: 35, k: 70, b: 'bf16', transposeB: true, bias: 'f32', strided: true }),
  gemm({ m: 30, n: 65, k: 33, b: 'f16', bias: 'f16', strided: true, accumulate: true }),
  gemm({ m: 1, n: 40, k: 96, transposeB: true, strided: true }),
  gemm({ m: 14, n: 50, k: 800, b: 'bf16', transposeB: true, bias: 'f32', accumulate: true }),
  gemm({ m: 7, n: 2100, k: 20, b: 'f16' }),
  gemm({ m: 6, n: 50, k: 800, bias: 'f32', accumulate: true }),
  gemm({ m: 9, n: 70, k: 64, transposeB: true, nanRow: 4 }),
  gemm({ m: 3, n: 20, k: 65, b: 'bf16', nanRow: 2 }),
  gemm({ m: 1, n: 33, k: 40, b: 'f16', transposeB: true, nanRow: 0 }),
  embedding({ dtype: 'f32', vocabulary: 31, width: 65, ids: [0, 30, 7, 7, 1] }),
  embedding({ dtype: 'bf16', vocabulary: 1000, width: 33, ids: [999, 1000, -1, 5, 2147483647, -2147483648, 0] }),
  embedding({ dtype: 'f16', vocabulary: 3, width: 1, ids: [2] }),
  copy({ rows: 1, width: 1 }),
  copy({ rows: 67, width: 129 }),
  add({ rows: 1, width: 1 }),
  add({ rows: 67, width: 129 }),
  add({ rows: 5, width: 31, strided: true }),
  rowsCase('gatherRows', { dtype: 'f32', width: 65, total: 9, rows: [8, 0, 3, 3, 8] }),
  rowsCase('gatherRows', { dtype: 'f32', width: 1, total: 2, rows: [1] }),
  rowsCase('scatterRows', { dtype: 'f32', width: 33, total: 9, rows: [8, 0, 3] }),
  rowsCase('scatterRows', { dtype: 'f32', width: 7, total: 1, rows: [0] }),
];
