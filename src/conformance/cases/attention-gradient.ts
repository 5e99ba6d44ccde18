import type { FloatDType, Tensor } from '../../native/backend.ts';
import { type ConformanceCase, caseName, needs, type Tolerance } from '../case.ts';
import type { Stage } from '../stage.ts';
import { packed } from './attention-prefill.ts';
import { attentionScale } from './cache-scenario.ts';

const BACKWARD: Tolerance = { relative: 3e-5, reason: 'P (dP - delta) cancels; sums over all rows of a segment and heads of a group' };
const INFLUENCE: Tolerance = { relative: 1e-4, reason: 'G - delta cancels where a key gains about as much as the row on average' };

/** Tolerances with 16-bit activations. Rounding errors, found by emulation in float32, stay below 0.4 of them. */
const BACKWARD_HALF = {
  bf16: { relative: 2e-2, reason: 'forward output (so delta), P, P (dP - delta) and gradients of 8 bits: units of 2^-8 and 2^-7' },
  f16: { relative: 4e-3, reason: 'forward output (so delta), P, P (dP - delta) and gradients of 11 bits: units of 2^-11 and 2^-10' },
} as const satisfies Record<string, Tolerance>;
/**
 * Where the far part has little weight, G A - delta is no more than the rounding error of the output that delta is made of, and the sizes
 * of these errors add up.
 */
const INFLUENCE_HALF = {
  bf16: {
    relative: 4e-2,
    reason: 'the given output, of which delta is made, has 8 bits; the joint criterion sums the size of that error over rows',
  },
  f16: {
    relative: 5e-3,
    reason: 'the given output, of which delta is made, has 11 bits; the joint criterion sums the size of that error over rows',
  },
} as const satisfies Record<string, Tolerance>;

/**
 * For rows with a dominant key. The key's E and the joint criterion come from sums over the row, so the given output does not matter to
 * them.
 */
const INFLUENCE_SHARP_HALF: Tolerance = {
  relative: 2e-3,
  reason: 'only the E of keys with little weight has the rounding error of the given output; emulated kernels are within 3e-4',
};

/** The machine epsilon of float32, which profiles use. It is far below 1 - A of most keys. */
export const SHARP_EPSILON = 2 ** -23;
/** From this deviation of q and k on, most rows have a dominant key, because scores deviate by its square. */
const SHARP_DEVIATION = 3;

interface GradientShape {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly tokens: readonly number[]; // per segment
  readonly deviation?: number;
  readonly activations?: FloatDType; // f32 by default
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
  const { heads, headDim, activations = 'f32' } = shape;
  const { segments, total } = packed(shape.tokens);
  const { q, k, v } = stage.fusedQkv(total, shape);
  const out = stage.poisoned([total, heads, headDim], activations);
  const logSumExp = stage.poisoned([total, heads]);
  const scale = attentionScale(headDim);
  stage.backend.attentionPrefill({ q, k, v, out, logSumExp, segments, scale });
  return { q, k, v, out, logSumExp, gradOut: stage.normal([total, heads, headDim], { dtype: activations }), segments, scale };
}

export function backward(shape: GradientShape): ConformanceCase {
  const { activations = 'f32' } = shape;
  return {
    op: 'attentionBackward',
    name: caseName({ ...shape }),
    tolerance: activations === 'f32' ? BACKWARD : BACKWARD_HALF[activations],
    ...needs(shape.activations),
    run(stage) {
      const given = forward(stage, shape);
      const dtype = shape.activations;
      const [gradQ, gradK, gradV] = [given.q, given.k, given.v].map((x) => stage.poisoned(x.shape, dtype)) as [Tensor, Tensor, Tensor];
      stage.backend.attentionBackward({ ...given, gradQ, gradK, gradV });
      return { gradQ, gradK, gradV };
    },
  };
}

function influenceTolerance({ activations = 'f32', deviation = 1 }: GradientShape): Tolerance {
  if (activations === 'f32') return INFLUENCE;
  return deviation >= SHARP_DEVIATION ? INFLUENCE_SHARP_HALF : INFLUENCE_HALF[activations];
}

export function influence(shape: GradientShape & { readonly sink: number; readonly epsilon: number }): ConformanceCase {
  return {
    op: 'influence',
    name: caseName({ ...shape }),
    tolerance: influenceTolerance(shape),
    ...needs(shape.activations),
    run(stage) {
      const given = forward(stage, shape);
      const size = [shape.kvHeads, Math.ceil(Math.max(...shape.tokens) / 64)];
      // The op accumulates: the values from before must stay in the sums.
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
  // Most rows have one key with A near 1, where 1 - A is noise unless it is summed from the other keys. A deviation above 5 would
  // leave float32's range.
  influence({ heads: 2, kvHeads: 1, headDim: 64, tokens: [150, 33], sink: 0, epsilon: SHARP_EPSILON, deviation: 5 }),
  influence({ heads: 4, kvHeads: 2, headDim: 32, tokens: [130], sink: 64, epsilon: SHARP_EPSILON, deviation: 4 }),
  influence({ heads: 1, kvHeads: 1, headDim: 40, tokens: [200], sink: 4, epsilon: SHARP_EPSILON, deviation: 3 }),
  influence({ heads: 1, kvHeads: 1, headDim: 256, tokens: [70], sink: 64, epsilon: SHARP_EPSILON, deviation: 5 }),
];
