import type { ConformanceCase } from '../case.ts';
import { add, copy, embedding, gemm, rowsCase } from './linear.ts';
import { argmax, crossEntropy, logSoftmax } from './logits.ts';
import { rmsNorm, rmsNormBackward, rope, siluMul, siluMulBackward } from './pointwise.ts';

/**
 * The dense ops with 16-bit activations: alone, and mixed with float32 where a model mixes them (residuals, logits, gradients of the
 * residual).
 */
export const HALF_OP_CASES: readonly ConformanceCase[] = [
  gemm({ a: 'bf16', b: 'bf16', out: 'bf16', m: 65, n: 130, k: 96, transposeB: true }),
  gemm({ a: 'bf16', b: 'bf16', m: 1, n: 1031, k: 384, transposeB: true }), // logits of one step
  gemm({ a: 'bf16', b: 'bf16', out: 'bf16', m: 7, n: 384, k: 800, transposeB: true, bias: 'bf16' }),
  gemm({ a: 'f16', b: 'f16', out: 'f16', m: 33, n: 67, k: 129, transposeB: true, bias: 'f32' }),
  gemm({ a: 'f16', b: 'f16', m: 130, n: 64, k: 257, accumulate: true }), // a gradient through a projection
  gemm({ a: 'bf16', b: 'bf16', out: 'bf16', m: 129, n: 40, k: 64, accumulate: true }),
  gemm({ a: 'bf16', b: 'bf16', out: 'bf16', m: 20, n: 72, k: 104, transposeB: true, strided: true }),
  gemm({ a: 'bf16', b: 'bf16', out: 'bf16', m: 2, n: 1, k: 3 }), // rows that no vector load can take
  gemm({ a: 'bf16', b: 'f32', out: 'f32', m: 6, n: 31, k: 40, transposeB: true }),
  gemm({ a: 'f32', b: 'bf16', out: 'bf16', m: 5, n: 64, k: 72, transposeB: true }),
  gemm({ a: 'f16', b: 'bf16', out: 'f16', m: 9, n: 48, k: 56, transposeB: true }),
  gemm({ a: 'bf16', b: 'bf16', out: 'bf16', m: 9, n: 72, k: 64, transposeB: true, nanRow: 4 }),
  // Few rows, for which a kernel may split K into pieces: many thread blocks then make one tile of the output, or one block makes
  // many. K ends within a piece.
  gemm({ a: 'bf16', b: 'bf16', out: 'bf16', m: 1, n: 131, k: 4168, transposeB: true }),
  gemm({ a: 'bf16', b: 'bf16', m: 1, n: 2501, k: 136, transposeB: true, bias: 'bf16' }),
  gemm({ a: 'f16', b: 'f16', m: 3, n: 131, k: 4168, transposeB: true, bias: 'f32', accumulate: true }),
  gemm({ a: 'bf16', b: 'bf16', m: 8, n: 130, k: 4168, transposeB: true, accumulate: true }),
  gemm({ a: 'f16', b: 'f16', out: 'f16', m: 8, n: 517, k: 1000, transposeB: true, bias: 'f16', accumulate: true }),
  gemm({ a: 'bf16', b: 'bf16', m: 16, n: 131, k: 4168, transposeB: true }),
  gemm({ a: 'f16', b: 'f16', out: 'f16', m: 16, n: 1031, k: 264, transposeB: true, bias: 'f32' }),
  gemm({ a: 'bf16', b: 'bf16', m: 12, n: 67, k: 1032, transposeB: true, nanRow: 9 }),
  embedding({ dtype: 'bf16', out: 'bf16', vocabulary: 100, width: 64, ids: [99, 100, -1, 5, 0] }),
  embedding({ dtype: 'f32', out: 'f16', vocabulary: 31, width: 65, ids: [0, 30, 7, 7] }),
  embedding({ dtype: 'f16', out: 'bf16', vocabulary: 12, width: 33, ids: [11, 3] }),
  rmsNorm({ x: 'bf16', weight: 'bf16', shape: [67, 96], residual: 'f32' }),
  rmsNorm({ x: 'bf16', weight: 'bf16', shape: [5, 4096], residual: 'f32', inPlace: true }),
  rmsNorm({ x: 'f32', out: 'bf16', weight: 'bf16', shape: [3, 301] }),
  rmsNorm({ x: 'f16', weight: 'f16', shape: [9, 7, 32], inPlace: true, strided: true }),
  rmsNorm({ x: 'bf16', out: 'f32', weight: 'f32', shape: [4, 65], nanRow: 2 }),
  rmsNormBackward({ x: 'f32', out: 'bf16', gradX: 'f32', weight: 'bf16', shape: [67, 96], accumulate: true }),
  rmsNormBackward({ x: 'bf16', weight: 'bf16', shape: [9, 5, 64], inPlace: true }),
  rmsNormBackward({ x: 'f16', weight: 'f32', shape: [5, 129] }),
  siluMul({ activations: 'bf16', tokens: 67, width: 129 }),
  siluMul({ activations: 'f16', tokens: 3, width: 344, deviation: 8 }),
  siluMulBackward({ activations: 'bf16', tokens: 65, width: 67 }),
  siluMulBackward({ activations: 'f16', tokens: 2, width: 128 }),
  rope({
    activations: 'bf16',
    heads: 6,
    kvHeads: 2,
    headDim: 64,
    runs: [
      [33, 0],
      [5, 4095],
    ],
  }),
  rope({ activations: 'f16', heads: 2, kvHeads: 2, headDim: 128, runs: [[7, 8191]], scale: 1.1387, inverse: true }),
  rope({ activations: 'bf16', heads: 3, kvHeads: 1, headDim: 96, runs: [[9, 63]] }),
  copy({ x: 'f32', out: 'bf16', rows: 33, width: 96 }),
  copy({ x: 'bf16', out: 'f32', rows: 3, width: 31 }),
  copy({ x: 'f32', out: 'f16', rows: 5, width: 64 }),
  copy({ x: 'f16', out: 'bf16', rows: 2, width: 40 }),
  add({ x: 'bf16', y: 'bf16', rows: 67, width: 129 }),
  add({ x: 'f32', y: 'bf16', rows: 5, width: 31, strided: true }),
  add({ x: 'f16', y: 'f32', rows: 3, width: 64 }),
  rowsCase('gatherRows', { dtype: 'bf16', width: 65, total: 9, rows: [8, 0, 3, 3, 8] }),
  rowsCase('scatterRows', { dtype: 'f16', width: 33, total: 9, rows: [8, 0, 3] }),
  argmax({ activations: 'bf16', rows: 3, vocabulary: 32003 }), // 8 bits: many ties
  argmax({ activations: 'f16', rows: 3, vocabulary: 66, last: Number.NaN }),
  logSoftmax({ activations: 'bf16', rows: 5, vocabulary: 1025 }),
  logSoftmax({ activations: 'f16', rows: 2, vocabulary: 129, deviation: 20 }),
  crossEntropy({ activations: 'bf16', rows: 5, vocabulary: 131, targets: [130, -1, 0, 64, -1] }),
  crossEntropy({ activations: 'bf16', rows: 4, vocabulary: 1027, targets: [3, 1026, -1, 512], gradient: 'inPlace', gradScale: 0.25 }),
  crossEntropy({ activations: 'f16', rows: 3, vocabulary: 67, targets: [1, 2, -1], gradient: 'separate' }),
];
