import type { FloatDType } from '../../native/backend.ts';
import { type ConformanceCase, caseName, FLOAT32_ORDER, needs, storedAs, type Tolerance } from '../case.ts';
import { rotaryFrequencies, segmentsOf } from '../stage.ts';

const POLYNOMIAL_EXP: Tolerance = { relative: 5e-6, reason: 'a vectorized exp is right to a few float32 ulps' };
const TWO_SUMS: Tolerance = { relative: 1e-5, reason: 'two float32 sums a row, one of which cancels' };
const ROTATION: Tolerance = { relative: 5e-6, reason: 'float32 angles; sine and cosine right to a few ulps' };

interface NormShape {
  /** [T, C] or [T, H, D]. */
  readonly shape: readonly number[];
  readonly weight?: FloatDType;
  readonly epsilon?: number;
  readonly deviation?: number;
  /** Adds a residual of this dtype; true means f32. */
  readonly residual?: boolean | FloatDType;
  readonly inPlace?: boolean;
  /** x is a column slice of a wider tensor. */
  readonly strided?: boolean;
  readonly accumulate?: boolean;
  readonly nanRow?: number;
  /** Dtype of x; f32 by default. */
  readonly x?: FloatDType;
  /** Dtype of the output, or of the incoming gradient; that of x by default. */
  readonly out?: FloatDType;
  /** Dtype of the outgoing gradient; that of x by default. */
  readonly gradX?: FloatDType;
}

export function rmsNorm(parameters: NormShape): ConformanceCase {
  return {
    op: 'rmsNorm',
    name: caseName({ ...parameters }),
    tolerance: storedAs(parameters.out ?? parameters.x ?? 'f32', FLOAT32_ORDER),
    ...needs(parameters.x, parameters.out),
    run(stage) {
      const { shape, weight: dtype = 'f32', epsilon = 1e-5, deviation = 1, strided = false, out: outDType = parameters.x } = parameters;
      const [tokens, ...inner] = shape as [number, ...number[]];
      const width = inner.reduce((total, n) => total * n, 1);
      const wide = width + (strided ? 8 : 0);
      const values = stage.normals(tokens * wide, deviation);
      if (parameters.nanRow !== undefined) values[parameters.nanRow * wide + (strided ? 4 : 0)] = Number.NaN;
      const x = stage.of(values, [tokens, wide], parameters.x).columns(strided ? 4 : 0, inner);
      const weight = stage.normal(shape.slice(-1), { dtype, mean: 1, deviation: 0.3 });
      const residualDType = parameters.residual === true ? 'f32' : parameters.residual;
      const residual = residualDType && stage.normal(shape, { dtype: residualDType });
      const out = parameters.inPlace ? x : stage.poisoned(shape, outDType);
      stage.backend.rmsNorm({ x, weight, out, epsilon, ...(residual && { residual }) });
      return { out, ...(residual && { residual }) };
    },
  };
}

export function rmsNormBackward(parameters: NormShape): ConformanceCase {
  return {
    op: 'rmsNormBackward',
    name: caseName({ ...parameters }),
    tolerance: storedAs(parameters.gradX ?? parameters.x ?? 'f32', TWO_SUMS),
    ...needs(parameters.x, parameters.out, parameters.gradX),
    run(stage) {
      const { shape, weight: dtype = 'f32', epsilon = 1e-5, deviation = 1, accumulate = false, x: xDType = 'f32' } = parameters;
      const { out: outDType = xDType, gradX: gradDType = xDType } = parameters;
      const x = stage.normal(shape, { deviation, dtype: xDType });
      const weight = stage.normal(shape.slice(-1), { dtype, mean: 1, deviation: 0.3 });
      const gradOut = stage.normal(shape, { dtype: outDType });
      const separate = accumulate ? stage.normal(shape, { dtype: gradDType }) : stage.poisoned(shape, gradDType);
      const gradX = parameters.inPlace ? gradOut : separate;
      stage.backend.rmsNormBackward({ x, weight, gradOut, gradX, epsilon, accumulate });
      return { gradX };
    },
  };
}

interface SiluShape {
  readonly tokens: number;
  readonly width: number;
  readonly deviation?: number;
  readonly nanRow?: number;
  readonly activations?: FloatDType; // f32 by default
}

export function siluMul(parameters: SiluShape): ConformanceCase {
  return {
    op: 'siluMul',
    name: caseName({ ...parameters }),
    tolerance: storedAs(parameters.activations ?? 'f32', POLYNOMIAL_EXP),
    ...needs(parameters.activations),
    run(stage) {
      const { tokens, width, deviation = 1, nanRow, activations } = parameters;
      const values = stage.normals(tokens * 2 * width, deviation);
      if (nanRow !== undefined) values[nanRow * 2 * width] = Number.NaN;
      const out = stage.poisoned([tokens, width], activations);
      stage.backend.siluMul({ gateUp: stage.of(values, [tokens, 2 * width], activations), out });
      return { out };
    },
  };
}

export function siluMulBackward(parameters: SiluShape): ConformanceCase {
  return {
    op: 'siluMulBackward',
    name: caseName({ ...parameters }),
    tolerance: storedAs(parameters.activations ?? 'f32', POLYNOMIAL_EXP),
    ...needs(parameters.activations),
    run(stage) {
      const { tokens, width, deviation = 1, activations: dtype = 'f32' } = parameters;
      const gateUp = stage.normal([tokens, 2 * width], { deviation, dtype });
      const gradGateUp = stage.poisoned([tokens, 2 * width], dtype);
      stage.backend.siluMulBackward({ gateUp, gradOut: stage.normal([tokens, width], { dtype }), gradGateUp });
      return { gradGateUp };
    },
  };
}

interface RopeShape {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** [rowCount, firstPosition] of each segment. */
  readonly runs: readonly (readonly [number, number])[];
  readonly scale?: number;
  readonly inverse?: boolean;
  readonly theta?: number;
  readonly activations?: FloatDType; // f32 by default
}

export function rope(parameters: RopeShape): ConformanceCase {
  const { runs, ...rest } = parameters;
  return {
    op: 'rope',
    name: caseName({ ...rest, runs: runs.flat() }),
    tolerance: storedAs(parameters.activations ?? 'f32', ROTATION),
    ...needs(parameters.activations),
    run(stage) {
      const tokens = runs.reduce((total, [rows]) => total + rows, 0);
      const { fused, q, k } = stage.fusedQkv(tokens, parameters);
      let row = 0;
      const segments = segmentsOf(
        ...runs.map(([rows, first], sequence): [number, number, number, number] => {
          row += rows;
          return [row - rows, rows, first, sequence];
        }),
      );
      const inverseFrequencies = stage.of(rotaryFrequencies(parameters.headDim, parameters.theta), [parameters.headDim / 2]);
      stage.backend.rope({ q, k, segments, inverseFrequencies, scale: parameters.scale ?? 1, inverse: parameters.inverse === true });
      return { fused }; // v must be untouched
    },
  };
}

export const POINTWISE_CASES: readonly ConformanceCase[] = [
  rmsNorm({ shape: [1, 1] }),
  rmsNorm({ shape: [67, 96], residual: true }),
  rmsNorm({ shape: [3, 301], weight: 'bf16', inPlace: true }),
  rmsNorm({ shape: [5, 64], weight: 'f16', residual: true, inPlace: true }),
  rmsNorm({ shape: [9, 7, 32], inPlace: true, strided: true }),
  rmsNorm({ shape: [33, 3, 128], weight: 'bf16', epsilon: 1e-6 }),
  rmsNorm({ shape: [2, 65], deviation: 1e-4, epsilon: 1e-6 }),
  rmsNorm({ shape: [2, 65], deviation: 3e4 }),
  rmsNorm({ shape: [5, 40], nanRow: 3 }),
  rmsNormBackward({ shape: [1, 3] }),
  rmsNormBackward({ shape: [67, 96] }),
  rmsNormBackward({ shape: [5, 129], weight: 'bf16', accumulate: true }),
  rmsNormBackward({ shape: [9, 5, 64], weight: 'f16', inPlace: true }),
  rmsNormBackward({ shape: [4, 65], deviation: 1e-3, epsilon: 1e-6, accumulate: true }),
  siluMul({ tokens: 1, width: 1 }),
  siluMul({ tokens: 67, width: 129 }),
  siluMul({ tokens: 3, width: 100, deviation: 60 }),
  siluMul({ tokens: 4, width: 33, nanRow: 2 }),
  siluMulBackward({ tokens: 1, width: 1 }),
  siluMulBackward({ tokens: 65, width: 67 }),
  siluMulBackward({ tokens: 3, width: 100, deviation: 60 }),
  rope({ heads: 1, kvHeads: 1, headDim: 8, runs: [[1, 0]] }),
  rope({ heads: 6, kvHeads: 2, headDim: 32, runs: [[65, 0]] }),
  rope({
    heads: 3,
    kvHeads: 3,
    headDim: 96,
    runs: [
      [7, 63],
      [1, 4095],
      [12, 0],
    ],
    inverse: true,
  }),
  rope({ heads: 8, kvHeads: 1, headDim: 64, runs: [[31, 1000]], scale: 1.1387 }),
  rope({ heads: 2, kvHeads: 1, headDim: 256, runs: [[5, 131000]], theta: 500000 }),
  rope({
    heads: 4,
    kvHeads: 4,
    headDim: 128,
    runs: [
      [3, 8191],
      [2, 17],
    ],
    scale: 0.9,
    inverse: true,
  }),
];
