import type { Tensor } from '../native/backend.ts';
import { orAborted } from './abort.ts';
import { checkWindow } from './caches.ts';
import {
  checkpointedForward,
  enqueueMlpActivation,
  enqueueResidual,
  enqueueRotatedQkv,
  forEachMlpBlock,
  type LayerCheckpoint,
  ProfileBuffers,
} from './checkpointed-forward.ts';
import { checkTokens, LOGIT_ROWS } from './forward.ts';
import type { LanguageModel } from './language-model.ts';
import { attentionScale, linear } from './layer.ts';
import { answerRows, checkAnswer } from './loss.ts';
import type { LayerWeights } from './weights.ts';
import { splitQkv } from './workspace.ts';

export interface BackwardOptions {
  /** Prompt and answer; the model runs over all but the last token. */
  readonly tokens: Int32Array;
  /** Index of the answer's first token. The loss is the mean cross-entropy of the answer's tokens. */
  readonly answerStart: number;
  readonly signal?: AbortSignal | undefined;
}

/** A layer's attention as its backward sees it. Views of buffers that the next layer overwrites: enqueue what reads them at once. */
export interface LayerAttention {
  readonly layer: number;
  readonly q: Tensor; // [T, H, D] after RoPE
  readonly k: Tensor; // [T, Hkv, D] after RoPE
  readonly v: Tensor; // [T, Hkv, D]
  readonly out: Tensor; // [T, H, D]
  readonly logSumExp: Tensor; // [T, H]
  readonly gradOut: Tensor; // [T, H, D]: dL / d out
  readonly segments: Int32Array;
  readonly scale: number;
}

/**
 * Dense forward of one sequence and backward of the answer's mean loss, from the last layer to the first: calls `onLayer` with each
 * layer's attention and the gradient at its output. Gradients of activations only. Memory: three checkpoints a layer and a few [T, C].
 * @returns the mean loss in nats. @throws MoaError INVALID_ARGUMENT, OUT_OF_MEMORY, ABORTED (between layers).
 */
export async function backwardThroughLayers(
  model: LanguageModel,
  options: BackwardOptions & { readonly onLayer: (attention: LayerAttention) => void },
): Promise<number> {
  const { tokens, answerStart, signal } = options;
  checkAnswer(tokens, answerStart);
  checkTokens(model, tokens);
  const fed = tokens.subarray(0, -1);
  checkWindow(model, fed.length);
  const buffers = new ProfileBuffers(model, fed.length);
  try {
    const { checkpoints, output } = await checkpointedForward(model, { buffers, tokens: fed, signal });
    const gradients = makeGradients(model, buffers);
    const loss = await lossGradient(model, { output, tokens, answerStart, gradResidual: gradients.residual });
    for (let l = checkpoints.length - 1; l >= 0; l--) {
      const [layer, checkpoint] = [model.weights.layers[l], checkpoints[l]];
      if (layer === undefined || checkpoint === undefined) break;
      const step = { index: l, layer, checkpoint, buffers, gradients };
      enqueueMlpBackward(model, step);
      options.onLayer(enqueueAttentionGradient(model, step));
      // Below the first layer's attention nobody asks for gradients.
      if (l > 0) enqueueAttentionBackward(model, step);
      await orAborted(model.backend.synchronize(), signal);
    }
    return loss;
  } finally {
    buffers.dispose();
  }
}

interface Gradients {
  readonly residual: Tensor; // [T, C]: of the stream after the layer, then before it
  readonly middle: Tensor; // [T, C]: not a gradient: the stream between attention and MLP, recomputed
  readonly attention: Tensor; // [T, H D]
  readonly qkv: Tensor; // [T, (H + 2 Hkv) D]
  readonly gateUp: Tensor; // [mlpRows, 2F]
}

interface LayerStep {
  readonly index: number;
  readonly layer: LayerWeights;
  readonly checkpoint: LayerCheckpoint;
  readonly buffers: ProfileBuffers;
  readonly gradients: Gradients;
}

function makeGradients(model: LanguageModel, buffers: ProfileBuffers): Gradients {
  const { hiddenSize: C, intermediateSize: F, heads, kvHeads, headDim } = model.config;
  return {
    residual: buffers.make([buffers.tokens, C]),
    middle: buffers.make([buffers.tokens, C]),
    attention: buffers.make([buffers.tokens, heads * headDim]),
    qkv: buffers.make([buffers.tokens, (heads + 2 * kvHeads) * headDim]),
    gateUp: buffers.make([buffers.mlpRows, 2 * F]),
  };
}

/** gradResidual (zeros) = gradient of the mean answer loss at the last layer's output, through final norm and lm_head. */
async function lossGradient(
  model: LanguageModel,
  at: { readonly output: Tensor; readonly tokens: Int32Array; readonly answerStart: number; readonly gradResidual: Tensor },
): Promise<number> {
  const rows = answerRows(at.tokens, at.answerStart);
  const blockRows = Math.min(rows.length, LOGIT_ROWS);
  const { hiddenSize: C, vocabSize: V } = model.config;
  const make = (dtype: 'f32' | 'i32', shape: readonly number[]): Tensor => model.backend.tensor(dtype, shape);
  const owned = [
    make('f32', [blockRows, C]),
    make('f32', [blockRows, C]),
    make('f32', [blockRows, V]),
    make('i32', [blockRows]),
    make('f32', [rows.length]),
  ];
  const [x, normed, logits, targets, losses] = owned as unknown as readonly [Tensor, Tensor, Tensor, Tensor, Tensor];
  try {
    for (let start = 0; start < rows.length; start += blockRows) {
      const count = Math.min(blockRows, rows.length - start);
      const block = { x: x.rows(0, count), normed: normed.rows(0, count), logits: logits.rows(0, count), targets: targets.rows(0, count) };
      block.targets.write(at.tokens.subarray(at.answerStart + start, at.answerStart + start + count));
      const losing = { rows: rows.subarray(start, start + count), losses: losses.rows(start, count), gradScale: 1 / rows.length };
      enqueueLossBlock(model, { ...at, ...block, ...losing });
    }
    const values = (await losses.read()) as Float32Array;
    return values.reduce((sum, v) => sum + v, 0) / rows.length;
  } finally {
    for (const tensor of owned) tensor.dispose();
  }
}

function enqueueLossBlock(
  model: LanguageModel,
  p: {
    readonly output: Tensor;
    readonly gradResidual: Tensor;
    readonly x: Tensor;
    readonly normed: Tensor;
    readonly logits: Tensor;
    readonly targets: Tensor;
    readonly losses: Tensor;
    readonly rows: Int32Array;
    readonly gradScale: number;
  },
): void {
  const { backend, weights } = model;
  const epsilon = model.config.rmsNormEpsilon;
  backend.gatherRows({ x: p.output, out: p.x, rows: p.rows });
  backend.rmsNorm({ x: p.x, weight: weights.finalNorm, out: p.normed, epsilon });
  linear(model, { a: p.normed, weight: weights.lmHead, bias: null, out: p.logits });
  backend.crossEntropy({ logits: p.logits, targets: p.targets, losses: p.losses, gradLogits: p.logits, gradScale: p.gradScale });
  backend.gemm({ a: p.logits, b: weights.lmHead, out: p.normed, transposeB: false });
  backend.rmsNormBackward({ x: p.x, weight: weights.finalNorm, gradOut: p.normed, gradX: p.normed, epsilon });
  backend.scatterRows({ x: p.normed, out: p.gradResidual, rows: p.rows });
}

/** gradients.residual += backward of x + MLP(norm(x)) through the MLP branch; recomputes x between attention and MLP. */
function enqueueMlpBackward(model: LanguageModel, step: LayerStep): void {
  const { backend } = model;
  const { layer, buffers, gradients } = step;
  backend.fill({ out: gradients.middle, value: 0 });
  enqueueResidual(model, layer, step.checkpoint, gradients.middle);
  forEachMlpBlock(buffers, (start, count) => {
    const x = gradients.middle.rows(start, count);
    const gradX = gradients.residual.rows(start, count);
    const { normed, gateUp, activated } = enqueueMlpActivation(model, layer, x, buffers);
    const gradGateUp = gradients.gateUp.rows(0, count);
    backend.gemm({ a: gradX, b: layer.down, out: activated, transposeB: false });
    backend.siluMulBackward({ gateUp, gradOut: activated, gradGateUp });
    backend.gemm({ a: gradGateUp, b: layer.gateUp, out: normed, transposeB: false });
    backend.rmsNormBackward({ x, weight: layer.postNorm, gradOut: normed, gradX, epsilon: model.config.rmsNormEpsilon, accumulate: true });
  });
}

/** The gradient at the attention's output, with q, k and v recomputed. */
function enqueueAttentionGradient(model: LanguageModel, step: LayerStep): LayerAttention {
  const { layer, checkpoint, buffers, gradients } = step;
  const { heads, headDim } = model.config;
  model.backend.gemm({ a: gradients.residual, b: layer.output, out: gradients.attention, transposeB: false });
  enqueueRotatedQkv(model, layer, checkpoint.input, buffers);
  const shape = [buffers.tokens, heads, headDim];
  return {
    layer: step.index,
    ...splitQkv(model.config, buffers.qkv),
    out: checkpoint.attention.reshape(shape),
    logSumExp: checkpoint.logSumExp,
    gradOut: gradients.attention.reshape(shape),
    segments: buffers.segments,
    scale: attentionScale(model),
  };
}

/** gradients.residual += backward through attention, RoPE, head norms, the projection and the input norm. */
function enqueueAttentionBackward(model: LanguageModel, step: LayerStep): void {
  const { backend, config, rope } = model;
  const { layer, checkpoint, buffers, gradients } = step;
  const shape = [buffers.tokens, config.heads, config.headDim];
  const { q: gradQ, k: gradK, v: gradV } = splitQkv(config, gradients.qkv);
  const { segments } = buffers;
  backend.attentionBackward({
    ...splitQkv(config, buffers.qkv),
    out: checkpoint.attention.reshape(shape),
    logSumExp: checkpoint.logSumExp,
    gradOut: gradients.attention.reshape(shape),
    gradQ,
    gradK,
    gradV,
    segments,
    scale: attentionScale(model),
  });
  backend.rope({ q: gradQ, k: gradK, segments, inverseFrequencies: rope.inverseFrequencies, scale: rope.scale, inverse: true });
  if (layer.qNorm !== null && layer.kNorm !== null) {
    // buffers.hidden still holds norm(input): the projection before the head norms comes from it again.
    linear(model, { a: buffers.hidden, weight: layer.qkv, bias: layer.qkvBias, out: buffers.qkv });
    const { q, k } = splitQkv(config, buffers.qkv);
    const epsilon = config.rmsNormEpsilon;
    backend.rmsNormBackward({ x: q, weight: layer.qNorm, gradOut: gradQ, gradX: gradQ, epsilon });
    backend.rmsNormBackward({ x: k, weight: layer.kNorm, gradOut: gradK, gradX: gradK, epsilon });
  }
  backend.gemm({ a: gradients.qkv, b: layer.qkv, out: buffers.hidden, transposeB: false });
  const norm = { x: checkpoint.input, weight: layer.inputNorm, epsilon: config.rmsNormEpsilon };
  backend.rmsNormBackward({ ...norm, gradOut: buffers.hidden, gradX: gradients.residual, accumulate: true });
}
