import { BLOCK_TOKENS } from '../../core/blocks.ts';
import { invalidArgument } from '../../core/errors.ts';
import type { Tensor } from '../../native/backend.ts';
import type { LanguageModel } from '../inference/language-model.ts';
import { type BackwardOptions, backwardThroughLayers, type LayerAttention } from './backward.ts';
import { withRecomputePolicy } from './recompute-policy.ts';
import type { RecomputePolicy } from './shapes.ts';

export interface InfluenceOptions extends BackwardOptions {
  /** Tokens at the start whose influence is counted apart. */
  readonly sink: number;
  /** Added to 1 - A in the elementwise criterion; the released code has the machine epsilon of its dtype (2^-7 in bf16). */
  readonly epsilon: number;
}

export interface InfluenceSums {
  /** Mean cross-entropy of the answer's tokens, nats. */
  readonly loss: number;
  /** Distance bins of 64 tokens: ceil((tokens - 1) / 64), as the last token is not fed. */
  readonly bins: number;
  /** Sums per [layer][kvHead][bin]; definitions at InfluenceParams in native/backend.ts (docs/method.md, influence). */
  readonly elementwise: Float64Array;
  readonly elementwiseSink: Float64Array;
  readonly joint: Float64Array;
}

/**
 * How much the answer's loss depends on attention at each distance: one dense forward and one backward over a sample, in memory
 * linear in its length. @throws MoaError INVALID_ARGUMENT, OUT_OF_MEMORY, ABORTED (between layers).
 */
export async function influenceProfile(model: LanguageModel, options: InfluenceOptions): Promise<InfluenceSums> {
  const { sink, epsilon } = options;
  if (!Number.isInteger(sink) || sink < 0) throw invalidArgument('an integer from 0', 'sink', sink);
  if (!(epsilon >= 0 && epsilon < 1)) throw invalidArgument('a number from 0 to below 1', 'epsilon', epsilon);
  const policy = { tokens: options.tokens.length - 1, recompute: options.recompute };
  return withRecomputePolicy(model, policy, (recompute) => sumInfluence(model, { ...options, recompute }));
}

async function sumInfluence(
  model: LanguageModel,
  options: InfluenceOptions & { readonly recompute: RecomputePolicy },
): Promise<InfluenceSums> {
  const { sink, epsilon } = options;
  const { layers, kvHeads } = model.config;
  const bins = Math.ceil((options.tokens.length - 1) / BLOCK_TOKENS);
  const sums = model.backend.tensor('f32', [3 * layers, kvHeads * Math.max(bins, 1)]); // elementwise, elementwiseSink, joint
  try {
    const { loss, lossScale } = await backwardThroughLayers(model, {
      ...options,
      onLayer: (attention, layer) => {
        const at = (kind: number): Tensor => sums.rows(kind * layers + layer, 1).reshape([kvHeads, bins]);
        model.backend.influence({
          ...attention,
          sink,
          epsilon,
          elementwise: at(0),
          elementwiseSink: at(1),
          joint: at(2),
        });
      },
    });
    const scaled = await sums.read();
    // The sums are linear in the gradient and the scale is a power of two, so the division is exact. It is a loop because
    // Float64Array.from takes tens of milliseconds for a 7B model at 8k.
    const of = (kind: number): Float64Array => {
      const values = new Float64Array(scaled.subarray((kind * scaled.length) / 3, ((kind + 1) * scaled.length) / 3));
      for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) / lossScale;
      return values;
    };
    return { loss, bins, elementwise: of(0), elementwiseSink: of(1), joint: of(2) };
  } finally {
    sums.dispose();
  }
}

/**
 * dL / d(attention output) of every layer, [T * H * D] each with T = tokens - 1: they are compared with golden data. Errors as
 * `influenceProfile`.
 */
export async function attentionGradients(
  model: LanguageModel,
  options: BackwardOptions,
): Promise<{ readonly loss: number; readonly gradients: readonly Float32Array[] }> {
  const policy = { tokens: options.tokens.length - 1, recompute: options.recompute };
  return withRecomputePolicy(model, policy, async (recompute) => {
    const reads: Promise<Float32Array>[] = [];
    const onLayer = ({ gradOut }: LayerAttention): void => {
      const read = gradOut.read() as Promise<Float32Array>;
      read.catch(() => {}); // of interest only when all layers succeed
      reads.unshift(read);
    };
    const { loss, lossScale } = await backwardThroughLayers(model, { ...options, recompute, onLayer });
    return { loss, gradients: (await Promise.all(reads)).map((gradient) => gradient.map((g) => g / lossScale)) };
  });
}
