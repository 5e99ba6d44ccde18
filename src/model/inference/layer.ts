import type { Tensor } from '../../native/backend.ts';
import type { LayerWeights } from '../format/weights/weights.ts';
import type { LanguageModel } from './language-model.ts';
import type { Activations } from './workspace.ts';

/** The factor on attention scores: 1 / sqrt(headDim). */
export function attentionScale(model: LanguageModel): number {
  return 1 / Math.sqrt(model.config.headDim);
}

/** qkv = normed . Wqkv (+ bias), then RMSNorm of q and k heads where the model has it (Qwen3). RoPE comes after. */
export function projectQkv(model: LanguageModel, weights: LayerWeights, x: Pick<Activations, 'normed' | 'qkv' | 'q' | 'k'>): void {
  linear(model, { a: x.normed, weight: weights.qkv, bias: weights.qkvBias, out: x.qkv });
  const epsilon = model.config.rmsNormEpsilon;
  if (weights.qNorm !== null) model.backend.rmsNorm({ x: x.q, weight: weights.qNorm, out: x.q, epsilon });
  if (weights.kNorm !== null) model.backend.rmsNorm({ x: x.k, weight: weights.kNorm, out: x.k, epsilon });
}

/** The part of a layer after attention: residual += attention . Wo; normed = MLP(norm(residual)), which the next norm adds. */
export function outputAndMlp(model: LanguageModel, weights: LayerWeights, x: Activations): void {
  const { backend } = model;
  linear(model, { a: x.attention, weight: weights.output, bias: weights.outputBias, out: x.normed });
  backend.rmsNorm({ x: x.normed, weight: weights.postNorm, out: x.normed, residual: x.residual, epsilon: model.config.rmsNormEpsilon });
  linear(model, { a: x.normed, weight: weights.gateUp, bias: weights.gateUpBias, out: x.gateUp });
  backend.siluMul({ gateUp: x.gateUp, out: x.activated });
  linear(model, { a: x.activated, weight: weights.down, bias: weights.downBias, out: x.normed });
}

/** normed = norm(residual) before the first layer, norm(residual += normed) before the others. */
export function inputNorm(model: LanguageModel, weight: Tensor, x: Activations, isFirst: boolean): void {
  const epsilon = model.config.rmsNormEpsilon;
  if (isFirst) model.backend.rmsNorm({ x: x.residual, weight, out: x.normed, epsilon });
  else model.backend.rmsNorm({ x: x.normed, weight, out: x.normed, residual: x.residual, epsilon });
}

export interface LinearParams {
  readonly a: Tensor; // [T, in]
  readonly weight: Tensor; // [out, in]
  readonly bias: Tensor | null; // [out]
  readonly out: Tensor; // [T, out]
  readonly accumulate?: boolean;
}

/** out (+)= a . weight^T + bias. */
export function linear(model: LanguageModel, params: LinearParams): void {
  const { a, weight, bias, out, accumulate = false } = params;
  if (bias === null) model.backend.gemm({ a, b: weight, out, transposeB: true, accumulate });
  else model.backend.gemm({ a, b: weight, out, transposeB: true, accumulate, bias });
}

/**
 * x as the operand of a matrix product: x itself when it has the dtype of `rounded`; otherwise `rounded`, a tensor of the same shape, into
 * which x is rounded.
 */
export function asOperand(model: LanguageModel, x: Tensor, rounded: Tensor): Tensor {
  if (x.dtype === rounded.dtype) return x;
  model.backend.copy({ x, out: rounded });
  return rounded;
}
