import type { FloatDType } from '../../native/backend.ts';
import { type ConformanceCase, caseName, EXACT } from '../case.ts';

function fill(shape: {
  readonly dtype: FloatDType | 'i32';
  readonly value: number;
  readonly rows: number;
  readonly width: number;
  readonly strided?: boolean;
}): ConformanceCase {
  return {
    op: 'fill',
    name: caseName(shape),
    tolerance: EXACT,
    run(stage) {
      const around = stage.poisoned([shape.rows, shape.width + (shape.strided ? 4 : 0)], shape.dtype);
      stage.backend.fill({ out: shape.strided ? around.columns(1, [shape.width]) : around, value: shape.value });
      return { around };
    },
  };
}

function fillUniform(shape: {
  readonly dtype: FloatDType;
  readonly seed: number;
  readonly deviation: number;
  readonly rows: number;
  readonly width: number;
  readonly strided?: boolean;
}): ConformanceCase {
  return {
    op: 'fillUniform',
    name: caseName(shape),
    tolerance: EXACT,
    run(stage) {
      const { dtype, seed, deviation, rows, width, strided } = shape;
      const around = stage.poisoned([rows, width + (strided ? 4 : 0)], dtype);
      stage.backend.fillUniform({ out: strided ? around.columns(1, [width]) : around, seed, deviation });
      return { around };
    },
  };
}

export const FILL_CASES: readonly ConformanceCase[] = [
  fill({ dtype: 'f32', value: -3.25, rows: 65, width: 7 }),
  fill({ dtype: 'f32', value: 0, rows: 3, width: 65, strided: true }),
  fill({ dtype: 'i32', value: -7, rows: 9, width: 1 }),
  fillUniform({ dtype: 'f32', seed: 0, deviation: 1, rows: 67, width: 33 }),
  fillUniform({ dtype: 'f32', seed: Number.MAX_SAFE_INTEGER, deviation: 0.02, rows: 3, width: 1025, strided: true }),
  fillUniform({ dtype: 'f32', seed: 2 ** 32, deviation: 0, rows: 1, width: 1 }),
  fillUniform({ dtype: 'bf16', seed: 123456789012345, deviation: 1, rows: 65, width: 31, strided: true }),
  fillUniform({ dtype: 'bf16', seed: 1, deviation: 3e-39, rows: 5, width: 40 }),
  fillUniform({ dtype: 'f16', seed: 7, deviation: 0.02, rows: 64, width: 64 }),
  fillUniform({ dtype: 'f16', seed: 4294967295, deviation: 50000, rows: 9, width: 77, strided: true }),
  fill({ dtype: 'bf16', value: 3.3333, rows: 17, width: 33, strided: true }),
  fill({ dtype: 'f16', value: -0.1, rows: 2, width: 130 }),
];
