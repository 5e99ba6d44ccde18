import type { Tensor } from '../../native/backend.ts';
import { type ConformanceCase, caseName, type Tolerance } from '../case.ts';
import type { Stage } from '../stage.ts';
import { packed } from './attention-prefill.ts';
import { attentionScale } from './cache-scenario.ts';

const BACKWARD: Tolerance = { relative: 3e-5, reason: 'P (dP - delta) cancels; sums over all rows of a segment and heads of a group' };
const INFLUENCE: Tolerance = { relative: 1e-4, reason: 'G - delta cancels, and 1 - A amplifies float32 rounding where A is near 1' };

interface GradientShape {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly tokens: readonly number[]; // per segment
  readonly deviation?: number;
}

interface Forward {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
  readonly out: Tensor;
  readonly logSumExp: Tensor;
  readonly gradOut: Tensor;
  readonly segments: Int32Array;
  readonly scale: number;
}

/** The forward pass by the backend itself, with a random gradient of its output. */
function forward(stage: Stage, shape: GradientShape): Forward {
  const { heads, headDim } = shape;
  const { segments, total } = packed(shape.tokens);
  const { q, k, v } = stage.fusedQkv(total, shape);
  const out = stage.poisoned([total, heads, headDim]);
  const logSumExp = stage.poisoned([total, heads]);
  const scale = attentionScale(headDim);
  stage.backend.attentionPrefill({ q, k, v, out, logSumExp, segments, scale });
  return { q, k, v, out, logSumExp, gradOut: stage.normal([total, heads, headDim]), segments, scale };
}

function backward(shape: GradientShape): ConformanceCase {
  return {
    op: 'attentionBackward',
    name: caseName({ ...shape }),
    tolerance: BACKWARD,
    run(stage) {
      const given = forward(stage, shape);
      const [gradQ, gradK, gradV] = [given.q, given.k, given.v].map((x) => stage.poisoned(x.shape)) as [Tensor, Tensor, Tensor];
      stage.backend.attentionBackward({ ...given, gradQ, gradK, gradV });
      return { gradQ, gradK, gradV };
    },
  };
}

function influence(shape: GradientShape & { readonly sink: number; readonly epsilon: number }): ConformanceCase {
  return {
    op: 'influence',
    name: caseName({ ...shape }),
    tolerance: INFLUENCE,
    run(stage) {
      const given = forward(stage, shape);
      const size = [shape.kvHeads, Math.ceil(Math.max(...shape.tokens) / 64)];
      // Accumulated: what is there before must stay in the sum.
      const [elementwise, elementwiseSink, joint] = [0, 1, 2].map(() => stage.normal(size, { mean: 5 })) as [Tensor, Tensor, Tensor];
      stage.backend.influence({ ...given, sink: shape.sink, epsilon: shape.epsilon, elementwise, elementwiseSink, joint });
      return { elementwise, elementwiseSink, joint };
    },
  };
}

export const ATTENTION_GRADIENT_CASES: readonly ConformanceCase[] = [
  backward({ heads: 1, kvHeads: 1, headDim: 8, tokens: [1] }),
  backward({ heads: 2, kvHeads: 2, headDim: 32, tokens: [65, 64, 3] }),
  backward({ heads: 4, kvHeads: 1, headDim: 32, tokens: [63, 70] }),
  backward({ heads: 6, kvHeads: 2, headDim: 64, tokens: [67] }),
  backward({ heads: 8, kvHeads: 1, headDim: 128, tokens: [34] }),
  backward({ heads: 2, kvHeads: 1, headDim: 96, tokens: [97] }),
  backward({ heads: 1, kvHeads: 1, headDim: 256, tokens: [66] }),
  backward({ heads: 1, kvHeads: 1, headDim: 32, tokens: [200] }),
  backward({ heads: 2, kvHeads: 1, headDim: 32, tokens: [70], deviation: 2 }),
  backward({ heads: 7, kvHeads: 1, headDim: 40, tokens: [65] }),
  backward({ heads: 2, kvHeads: 2, headDim: 80, tokens: [129] }),
  influence({ heads: 1, kvHeads: 1, headDim: 8, tokens: [1], sink: 0, epsilon: 0.0078125 }),
  influence({ heads: 2, kvHeads: 2, headDim: 32, tokens: [130], sink: 0, epsilon: 0.0078125 }),
  influence({ heads: 4, kvHeads: 2, headDim: 32, tokens: [129, 63, 64], sink: 64, epsilon: 0.0078125 }),
  influence({ heads: 3, kvHeads: 1, headDim: 64, tokens: [150], sink: 64, epsilon: 1e-6 }),
  influence({ heads: 1, kvHeads: 1, headDim: 32, tokens: [321], sink: 64, epsilon: 1e-3 }),
  influence({ heads: 2, kvHeads: 1, headDim: 96, tokens: [100, 17], sink: 128, epsilon: 1e-4 }),
  influence({ heads: 1, kvHeads: 1, headDim: 128, tokens: [193], sink: 4, epsilon: 0.0078125 }),
  influence({ heads: 7, kvHeads: 1, headDim: 40, tokens: [70], sink: 64, epsilon: 0.0078125 }),
  influence({ heads: 2, kvHeads: 2, headDim: 80, tokens: [129, 128], sink: 64, epsilon: 0.0078125 }),
  influence({ heads: 8, kvHeads: 1, headDim: 32, tokens: [65], sink: 0, epsilon: 1e-3, deviation: 2 }),
];
