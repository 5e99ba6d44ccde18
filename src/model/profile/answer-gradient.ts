import type { FloatDType, Tensor } from '../../native/backend.ts';
import { LOGIT_ROWS } from '../inference/forward.ts';
import type { LanguageModel } from '../inference/language-model.ts';
import { asOperand, linear } from '../inference/layer.ts';
import { answerRows } from '../inference/loss.ts';

export interface AnswerGradientParams {
  readonly tokens: Int32Array;
  readonly answerStart: number;
  readonly output: Tensor; // f32 [T, C]: of the last layer
  readonly gradOutput: Tensor; // f32 [T, C], zeros
}

export interface AnswerGradient {
  /** Mean loss of the answer's tokens, nats. */
  readonly loss: number;
  /** The gradients are those of loss * lossScale, so divide them by this power of two. */
  readonly lossScale: number;
}

/** gradOutput = lossScale * gradient of the mean answer loss at the last layer's output, through final norm and lm_head. */
export async function answerGradient(model: LanguageModel, params: AnswerGradientParams): Promise<AnswerGradient> {
  const { tokens, answerStart } = params;
  const rows = answerRows(tokens, answerStart);
  const lossScale = lossScaleOf(model.activationDType, rows.length);
  const blockRows = Math.min(rows.length, LOGIT_ROWS);
  const buffers = new LossBuffers(model, blockRows);
  const losses = new Float32Array(rows.length);
  try {
    for (let start = 0; start < rows.length; start += blockRows) {
      const count = Math.min(blockRows, rows.length - start);
      const block = buffers.rows(count);
      block.targets.write(tokens.subarray(answerStart + start, answerStart + start + count));
      enqueueBlock(model, { ...params, ...block, rows: rows.subarray(start, start + count), gradScale: lossScale / rows.length });
      losses.set((await block.losses.read()) as Float32Array, start);
    }
    return { loss: losses.reduce((sum, v) => sum + v, 0) / rows.length, lossScale };
  } finally {
    buffers.dispose();
  }
}

/**
 * Factor on all gradients. f16 has no normal numbers below 2^-14, and gradients of an answer's mean loss are far smaller at most tokens of
 * a long context, so they are scaled up. The scale is 2^9 to 2^10 at a row's logits, which leaves a factor of 64 below f16's largest
 * number. f32 and bf16 reach small enough numbers without a scale.
 */
function lossScaleOf(dtype: FloatDType, answerTokens: number): number {
  return dtype === 'f16' ? 2 ** (10 + Math.floor(Math.log2(answerTokens))) : 1;
}

interface LossBlock {
  readonly x: Tensor; // f32 [rows, C]
  readonly normed: Tensor; // [rows, C], then its gradient
  readonly logits: Tensor; // f32 [rows, V], then their gradient
  readonly roundedLogits: Tensor; // [rows, V] in the activation dtype; logits itself when that is f32
  readonly gradX: Tensor; // f32 [rows, C]
  readonly targets: Tensor; // i32 [rows]
  readonly losses: Tensor; // f32 [rows]
}

class LossBuffers {
  readonly #owned: Tensor[] = [];
  readonly #block: LossBlock;

  constructor(model: LanguageModel, rows: number) {
    const { hiddenSize: C, vocabSize: V } = model.config;
    const make = (dtype: FloatDType | 'i32', shape: readonly number[]): Tensor => {
      const tensor = model.backend.tensor(dtype, shape);
      this.#owned.push(tensor);
      return tensor;
    };
    const dtype = model.activationDType;
    try {
      const logits = make('f32', [rows, V]);
      this.#block = {
        x: make('f32', [rows, C]),
        normed: make(dtype, [rows, C]),
        logits,
        roundedLogits: dtype === 'f32' ? logits : make(dtype, [rows, V]),
        gradX: make('f32', [rows, C]),
        targets: make('i32', [rows]),
        losses: make('f32', [rows]),
      };
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /** Views of the first `count` rows. */
  rows(count: number): LossBlock {
    return Object.fromEntries(Object.entries(this.#block).map(([name, tensor]) => [name, tensor.rows(0, count)])) as unknown as LossBlock;
  }

  dispose(): void {
    for (const tensor of this.#owned) tensor.dispose();
  }
}

function enqueueBlock(
  model: LanguageModel,
  p: AnswerGradientParams & LossBlock & { readonly rows: Int32Array; readonly gradScale: number },
): void {
  const { backend, weights } = model;
  const norm = { x: p.x, weight: weights.finalNorm, epsilon: model.config.rmsNormEpsilon };
  backend.gatherRows({ x: p.output, out: p.x, rows: p.rows });
  backend.rmsNorm({ ...norm, out: p.normed });
  linear(model, { a: p.normed, weight: weights.lmHead, bias: null, out: p.logits });
  backend.crossEntropy({ logits: p.logits, targets: p.targets, losses: p.losses, gradLogits: p.logits, gradScale: p.gradScale });
  backend.gemm({ a: asOperand(model, p.logits, p.roundedLogits), b: weights.lmHead, out: p.normed, transposeB: false });
  backend.rmsNormBackward({ ...norm, gradOut: p.normed, gradX: p.gradX });
  backend.scatterRows({ x: p.gradX, out: p.gradOutput, rows: p.rows });
}
