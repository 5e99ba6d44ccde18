import { invalidArgument } from '../core/errors.ts';
import type { Tensor } from '../native/backend.ts';
import { type BackwardOptions, backwardThroughLayers } from './backward.ts';
import type { LanguageModel } from './language-model.ts';

/** Tokens per distance bin. */
const BIN_TOKENS = 64;

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
  /** Sums per [layer][kvHead][bin]; definitions at InfluenceParams in native/backend.ts (moa-method.md 2.1). */
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
  const { layers, kvHeads } = model.config;
  const bins = Math.ceil((options.tokens.length - 1) / BIN_TOKENS);
  const sums = [0, 1, 2].map(() => model.backend.tensor('f32', [layers, kvHeads * Math.max(bins, 1)])) as unknown as readonly [
    Tensor,
    Tensor,
    Tensor,
  ];
  const [elementwise, elementwiseSink, joint] = sums;
  try {
    const loss = await backwardThroughLayers(model, {
      ...options,
      onLayer: ({ layer, ...attention }) => {
        const of = (tensor: Tensor): Tensor => tensor.rows(layer, 1).reshape([kvHeads, bins]);
        model.backend.influence({
          ...attention,
          sink,
          epsilon,
          elementwise: of(elementwise),
          elementwiseSink: of(elementwiseSink),
          joint: of(joint),
        });
      },
    });
    const read = async (tensor: Tensor): Promise<Float64Array> => Float64Array.from(await tensor.read());
    return { loss, bins, elementwise: await read(elementwise), elementwiseSink: await read(elementwiseSink), joint: await read(joint) };
  } finally {
    for (const tensor of sums) tensor.dispose();
  }
}

/**
 * dL / d(attention output) of every layer, [T * H * D] each with T = tokens - 1: what the goldens compare. Errors as `influenceProfile`.
 */
export async function attentionGradients(
  model: LanguageModel,
  options: BackwardOptions,
): Promise<{ readonly loss: number; readonly gradients: readonly Float32Array[] }> {
  const reads: Promise<Float32Array | Int32Array>[] = [];
  const loss = await backwardThroughLayers(model, {
    ...options,
    onLayer: ({ gradOut }) => {
      reads.unshift(gradOut.read());
    },
  });
  return { loss, gradients: (await Promise.all(reads)) as Float32Array[] };
}
