import type { FloatDType, Tensor } from '../../native/backend.ts';
import { type ConformanceCase, caseName, EXACT, needs, storedAs, type Tolerance } from '../case.ts';
import type { Stage } from '../stage.ts';

const LOG_SUM_EXP: Tolerance = { relative: 5e-6, reason: 'float32 sum of V exponentials' };

interface LogitsShape {
  readonly rows: number;
  readonly vocabulary: number;
  readonly deviation?: number;
  /** Values that are written into the last row, at its start (`first`) and at its end (`last`). */
  readonly first?: number;
  readonly last?: number;
  readonly activations?: FloatDType; // of logits, log-probabilities and their gradient; f32 by default
}

function logitsOf(stage: Stage, shape: LogitsShape): Float32Array {
  const { rows, vocabulary, deviation = 3 } = shape;
  const values = stage.normals(rows * vocabulary, deviation);
  if (shape.first !== undefined) values[(rows - 1) * vocabulary] = shape.first;
  if (shape.last !== undefined) values[rows * vocabulary - 1] = shape.last;
  return values;
}

function tensorOf(stage: Stage, shape: LogitsShape, values = logitsOf(stage, shape)): Tensor {
  return stage.of(values, [shape.rows, shape.vocabulary], shape.activations);
}

export function argmax(shape: LogitsShape & { readonly integers?: boolean; readonly constant?: number }): ConformanceCase {
  return {
    op: 'argmax',
    name: caseName({ ...shape }),
    tolerance: EXACT,
    ...needs(shape.activations),
    run(stage) {
      const { rows, constant } = shape;
      let values = logitsOf(stage, shape);
      if (shape.integers) values = values.map(Math.round); // many ties
      if (constant !== undefined) values.fill(constant);
      const out = stage.poisoned([rows], 'i32');
      stage.backend.argmax({ logits: tensorOf(stage, shape, values), out });
      return { out };
    },
  };
}

export function logSoftmax(shape: LogitsShape): ConformanceCase {
  return {
    op: 'logSoftmax',
    name: caseName({ ...shape }),
    tolerance: storedAs(shape.activations ?? 'f32', LOG_SUM_EXP),
    ...needs(shape.activations),
    run(stage) {
      const out = stage.poisoned([shape.rows, shape.vocabulary], shape.activations);
      stage.backend.logSoftmax({ logits: tensorOf(stage, shape), out });
      return { out };
    },
  };
}

interface CrossEntropyShape extends LogitsShape {
  readonly targets: readonly number[];
  readonly gradient?: 'separate' | 'inPlace';
  readonly gradScale?: number;
}

export function crossEntropy(shape: CrossEntropyShape): ConformanceCase {
  return {
    op: 'crossEntropy',
    name: caseName({ ...shape }),
    tolerance: storedAs(shape.gradient ? (shape.activations ?? 'f32') : 'f32', LOG_SUM_EXP),
    ...needs(shape.activations),
    run(stage) {
      const logits = tensorOf(stage, shape);
      const separate = shape.gradient === 'separate' ? stage.poisoned(logits.shape, logits.dtype) : undefined;
      const gradLogits = shape.gradient === 'inPlace' ? logits : separate;
      const losses = stage.poisoned([shape.rows]);
      stage.backend.crossEntropy({
        logits,
        targets: stage.ints(shape.targets),
        losses,
        ...(gradLogits && { gradLogits }),
        ...(shape.gradScale !== undefined && { gradScale: shape.gradScale }),
      });
      return { losses, ...(gradLogits && { gradLogits }) };
    },
  };
}

export const LOGITS_CASES: readonly ConformanceCase[] = [
  argmax({ rows: 1, vocabulary: 1 }),
  argmax({ rows: 7, vocabulary: 33 }),
  argmax({ rows: 2, vocabulary: 32003 }),
  argmax({ rows: 9, vocabulary: 517, integers: true }),
  argmax({ rows: 3, vocabulary: 65, last: 1e30 }),
  argmax({ rows: 3, vocabulary: 65, first: Number.NaN }),
  argmax({ rows: 3, vocabulary: 66, last: Number.NaN }),
  argmax({ rows: 2, vocabulary: 40, first: Infinity, last: Infinity }),
  argmax({ rows: 2, vocabulary: 37, constant: -Infinity }),
  argmax({ rows: 2, vocabulary: 37, constant: -2 }),
  logSoftmax({ rows: 1, vocabulary: 1 }),
  logSoftmax({ rows: 5, vocabulary: 129 }),
  logSoftmax({ rows: 2, vocabulary: 1025, deviation: 200 }),
  logSoftmax({ rows: 2, vocabulary: 33, last: -Infinity }),
  logSoftmax({ rows: 2, vocabulary: 33, first: Number.NaN }),
  crossEntropy({ rows: 1, vocabulary: 1, targets: [0] }),
  crossEntropy({ rows: 5, vocabulary: 131, targets: [130, -1, 0, 64, -1] }),
  crossEntropy({ rows: 5, vocabulary: 131, targets: [130, -1, 0, 64, -1], gradient: 'separate' }),
  crossEntropy({ rows: 4, vocabulary: 1027, targets: [3, 1026, -1, 512], gradient: 'inPlace', gradScale: 0.25, deviation: 9 }),
  // Losses of about 3e-6 and 2e-10: log-sum-exp - logit and p - 1 would keep few of their digits, or none.
  crossEntropy({ rows: 1, vocabulary: 131, targets: [130], last: 18, deviation: 1, gradient: 'separate' }),
  crossEntropy({ rows: 1, vocabulary: 1027, targets: [0], first: 30, deviation: 1, gradient: 'inPlace', gradScale: 4 }),
  crossEntropy({ rows: 2, vocabulary: 65, targets: [-1, -1], gradient: 'separate', gradScale: 3 }),
  crossEntropy({ rows: 3, vocabulary: 67, targets: [1, 2, -1], gradient: 'separate', first: Number.NaN }),
  crossEntropy({ rows: 3, vocabulary: 67, targets: [1, 2, 3], gradient: 'inPlace', first: Number.NaN }),
];
