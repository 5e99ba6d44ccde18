import type { Tensor } from '../../native/backend.ts';
import { checkWindow } from '../inference/caches.ts';
import { checkTokens } from '../inference/forward.ts';
import type { LanguageModel } from '../inference/language-model.ts';
import { asOperand, attentionScale } from '../inference/layer.ts';
import { checkAnswer } from '../inference/loss.ts';
import { Pacer } from '../inference/pacer.ts';
import { splitQkv } from '../inference/workspace.ts';
import { type AnswerGradient, answerGradient } from './answer-gradient.ts';
import { type KeptLayer, ProfileBuffers } from './buffers.ts';
import {
  type AttentionHeads,
  enqueueGateUp,
  enqueueHeads,
  enqueueMiddle,
  enqueueQkv,
  mlpBlocks,
  recomputableForward,
} from './recomputed-forward.ts';
import type { RecomputePolicy } from './shapes.ts';

export interface BackwardOptions {
  /** Prompt and answer; the model runs over all but the last token. */
  readonly tokens: Int32Array;
  /** Index of the answer's first token. The loss is the mean cross-entropy of the answer's tokens. */
  readonly answerStart: number;
  readonly signal?: AbortSignal | undefined;
  /** Default: by free memory, see withRecomputePolicy. */
  readonly recompute?: RecomputePolicy | undefined;
}

/**
 * A layer's attention as its backward sees it. Its tensors are views of buffers that the next layer overwrites, so enqueue at once whatever
 * reads them.
 */
export interface LayerAttention extends AttentionHeads {
  readonly out: Tensor; // [T, H, D]
  readonly logSumExp: Tensor; // f32 [T, H]
  readonly gradOut: Tensor; // [T, H, D]: lossScale * dL / d out
  readonly segments: Int32Array;
  readonly scale: number;
}

/**
 * Dense forward of one sequence and backward of the answer's mean loss, from the last layer to the first: calls `onLayer` with each layer's
 * attention and the scaled gradient at its output. Only gradients of activations are computed. Memory: `profileBytes`, freed at the end.
 * @throws MoaError INVALID_ARGUMENT, OUT_OF_MEMORY, ABORTED (between layers).
 */
export async function backwardThroughLayers(
  model: LanguageModel,
  options: BackwardOptions & { readonly recompute: RecomputePolicy; readonly onLayer: (attention: LayerAttention, layer: number) => void },
): Promise<AnswerGradient> {
  const { tokens, answerStart, signal } = options;
  checkAnswer(tokens, answerStart);
  checkTokens(model, tokens);
  const fed = tokens.subarray(0, -1);
  checkWindow(model, fed.length);
  const buffers = new ProfileBuffers(model, fed.length, options.recompute);
  try {
    await recomputableForward(model, { buffers, tokens: fed, signal });
    const gradient = await answerGradient(model, { tokens, answerStart, output: buffers.output, gradOutput: buffers.gradResidual });
    const pacer = new Pacer(model.backend, signal);
    for (const layer of buffers.layers.toReversed()) {
      enqueueMlpBackward(model, layer, buffers);
      const attention = enqueueAttentionGradient(model, layer, buffers);
      options.onLayer(attention, layer.index);
      // Below the first layer's attention nobody asks for gradients.
      if (layer.index > 0) enqueueAttentionBackward(model, layer, { attention, buffers });
      await pacer.next();
    }
    await pacer.finish();
    return gradient;
  } finally {
    buffers.dispose();
  }
}

/** gradResidual += backward of middle + MLP(norm(middle)) through the MLP branch. */
function enqueueMlpBackward(model: LanguageModel, layer: KeptLayer, buffers: ProfileBuffers): void {
  const { backend } = model;
  const { weights } = layer;
  if (buffers.recompute === 'all') enqueueMiddle(model, layer);
  for (const block of mlpBlocks(layer, buffers)) {
    const { middle, normed, gateUp, activated } = block;
    if (buffers.recompute !== 'none') enqueueGateUp(model, layer, block);
    const gradX = buffers.gradResidual.rows(block.start, block.rows);
    const gradGateUp = buffers.gradGateUp.rows(0, block.rows);
    backend.gemm({ a: asOperand(model, gradX, normed), b: weights.down, out: activated, transposeB: false });
    backend.siluMulBackward({ gateUp, gradOut: activated, gradGateUp });
    backend.gemm({ a: gradGateUp, b: weights.gateUp, out: normed, transposeB: false });
    const norm = { x: middle, weight: weights.postNorm, epsilon: model.config.rmsNormEpsilon };
    backend.rmsNormBackward({ ...norm, gradOut: normed, gradX, accumulate: true });
  }
}

/** The gradient at the attention's output, with the attention's inputs. */
function enqueueAttentionGradient(model: LanguageModel, layer: KeptLayer, buffers: ProfileBuffers): LayerAttention {
  const { heads, headDim } = model.config;
  const a = asOperand(model, buffers.gradResidual, buffers.hidden);
  model.backend.gemm({ a, b: layer.weights.output, out: buffers.gradAttention, transposeB: false });
  if (buffers.recompute === 'all') enqueueQkv(model, layer, buffers);
  const shape = [buffers.tokens, heads, headDim];
  return {
    ...enqueueHeads(model, layer, buffers),
    out: layer.attention.reshape(shape),
    logSumExp: layer.logSumExp,
    gradOut: buffers.gradAttention.reshape(shape),
    segments: buffers.segments,
    scale: attentionScale(model),
  };
}

/** gradResidual += backward through attention, RoPE, head norms, the projection and the input norm. */
function enqueueAttentionBackward(
  model: LanguageModel,
  layer: KeptLayer,
  at: { readonly attention: LayerAttention; readonly buffers: ProfileBuffers },
): void {
  const { backend, config, rope } = model;
  const { attention, buffers } = at;
  const { weights } = layer;
  const epsilon = config.rmsNormEpsilon;
  const { q: gradQ, k: gradK, v: gradV } = splitQkv(config, buffers.gradQkv);
  backend.attentionBackward({ ...attention, gradQ, gradK, gradV });
  const { segments } = buffers;
  backend.rope({ q: gradQ, k: gradK, segments, inverseFrequencies: rope.inverseFrequencies, scale: rope.scale, inverse: true });
  if (weights.qNorm !== null && weights.kNorm !== null) {
    const { q, k } = splitQkv(config, layer.qkv);
    backend.rmsNormBackward({ x: q, weight: weights.qNorm, gradOut: gradQ, gradX: gradQ, epsilon });
    backend.rmsNormBackward({ x: k, weight: weights.kNorm, gradOut: gradK, gradX: gradK, epsilon });
  }
  backend.gemm({ a: buffers.gradQkv, b: weights.qkv, out: buffers.hidden, transposeB: false });
  const norm = { x: layer.input, weight: weights.inputNorm, epsilon };
  backend.rmsNormBackward({ ...norm, gradOut: buffers.hidden, gradX: buffers.gradResidual, accumulate: true });
}
