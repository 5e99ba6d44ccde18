import type { Tensor } from '../../native/backend.ts';
import type { LanguageModel } from '../inference/language-model.ts';
import { attentionScale, linear } from '../inference/layer.ts';
import { Pacer } from '../inference/pacer.ts';
import { splitQkv } from '../inference/workspace.ts';
import type { KeptLayer, ProfileBuffers } from './buffers.ts';

/**
 * Dense forward of one sequence into the buffers: the tensors of each layer that the backward reads, and the last layer's output before the
 * final norm.
 */
export async function recomputableForward(
  model: LanguageModel,
  options: { readonly buffers: ProfileBuffers; readonly tokens: Int32Array; readonly signal: AbortSignal | undefined },
): Promise<void> {
  const { buffers, tokens, signal } = options;
  const { backend, weights } = model;
  const ids = backend.tensor('i32', [tokens.length]);
  try {
    ids.write(tokens);
    model.rope.setLength(tokens.length);
    backend.embedding({ ids, table: weights.embedding, out: buffers.layers[0]?.input ?? buffers.output });
    const pacer = new Pacer(backend, signal);
    for (const layer of buffers.layers) {
      enqueueQkv(model, layer, buffers);
      enqueueAttention(model, layer, buffers);
      enqueueMiddle(model, layer);
      enqueueMlp(model, layer, buffers);
      await pacer.next();
    }
    await pacer.finish();
  } finally {
    ids.dispose();
  }
}

/** layer.qkv = norm(input) . Wqkv (+ bias), in place after RoPE unless head norms come before it. */
export function enqueueQkv(model: LanguageModel, layer: KeptLayer, buffers: ProfileBuffers): void {
  const { weights } = layer;
  model.backend.rmsNorm({ x: layer.input, weight: weights.inputNorm, out: buffers.hidden, epsilon: model.config.rmsNormEpsilon });
  linear(model, { a: buffers.hidden, weight: weights.qkv, bias: weights.qkvBias, out: layer.qkv });
  if (buffers.rotated === null) enqueueRope(model, splitQkv(model.config, layer.qkv), buffers);
}

export interface AttentionHeads {
  readonly q: Tensor; // [T, H, D] after RoPE
  readonly k: Tensor; // [T, Hkv, D] after RoPE
  readonly v: Tensor; // [T, Hkv, D]
}

/** Attention's inputs from layer.qkv. With head norms q and k are in a buffer that the next layer overwrites. */
export function enqueueHeads(model: LanguageModel, layer: KeptLayer, buffers: ProfileBuffers): AttentionHeads {
  const { qNorm, kNorm } = layer.weights;
  const projected = splitQkv(model.config, layer.qkv);
  if (buffers.rotated === null || qNorm === null || kNorm === null) return projected;
  const { heads, kvHeads, headDim, rmsNormEpsilon: epsilon } = model.config;
  const [q, k] = [buffers.rotated.columns(0, [heads, headDim]), buffers.rotated.columns(heads * headDim, [kvHeads, headDim])];
  model.backend.rmsNorm({ x: projected.q, weight: qNorm, out: q, epsilon });
  model.backend.rmsNorm({ x: projected.k, weight: kNorm, out: k, epsilon });
  enqueueRope(model, { q, k }, buffers);
  return { q, k, v: projected.v };
}

function enqueueRope(model: LanguageModel, heads: Pick<AttentionHeads, 'q' | 'k'>, { segments }: ProfileBuffers): void {
  const { inverseFrequencies, scale } = model.rope;
  model.backend.rope({ q: heads.q, k: heads.k, segments, inverseFrequencies, scale });
}

function enqueueAttention(model: LanguageModel, layer: KeptLayer, buffers: ProfileBuffers): void {
  const { heads, headDim } = model.config;
  model.backend.attentionPrefill({
    ...enqueueHeads(model, layer, buffers),
    out: layer.attention.reshape([buffers.tokens, heads, headDim]),
    segments: buffers.segments,
    scale: attentionScale(model),
    logSumExp: layer.logSumExp,
  });
}

/** layer.middle = input + attention . Wo (+ bias) */
export function enqueueMiddle(model: LanguageModel, { weights, input, attention, middle }: KeptLayer): void {
  model.backend.copy({ x: input, out: middle });
  linear(model, { a: attention, weight: weights.output, bias: weights.outputBias, out: middle, accumulate: true });
}

/** layer.output = middle + MLP(norm(middle)) */
function enqueueMlp(model: LanguageModel, layer: KeptLayer, buffers: ProfileBuffers): void {
  const { down, downBias } = layer.weights;
  model.backend.copy({ x: layer.middle, out: layer.output });
  for (const block of mlpBlocks(layer, buffers)) {
    enqueueGateUp(model, layer, block);
    model.backend.siluMul({ gateUp: block.gateUp, out: block.activated });
    const out = layer.output.rows(block.start, block.rows);
    linear(model, { a: block.activated, weight: down, bias: downBias, out, accumulate: true });
  }
}

/** Rows [start, start + rows) of an MLP: views of the layer's tensors and of the buffers. */
export interface MlpBlock {
  readonly start: number;
  readonly rows: number;
  readonly middle: Tensor; // f32 [rows, C]
  readonly normed: Tensor; // [rows, C]
  readonly gateUp: Tensor; // [rows, 2F]
  readonly activated: Tensor; // [rows, F]
}

export function mlpBlocks(layer: KeptLayer, buffers: ProfileBuffers): readonly MlpBlock[] {
  const { tokens, mlpRows } = buffers;
  return Array.from({ length: Math.ceil(tokens / mlpRows) }, (_, i) => {
    const start = i * mlpRows;
    const rows = Math.min(mlpRows, tokens - start);
    return {
      start,
      rows,
      middle: layer.middle.rows(start, rows),
      normed: buffers.normed.rows(0, rows),
      gateUp: layer.gateUp.rows(buffers.recompute === 'none' ? start : 0, rows),
      activated: buffers.activated.rows(0, rows),
    };
  });
}

/** block.gateUp = norm(middle) . Wgu (+ bias) */
export function enqueueGateUp(model: LanguageModel, { weights }: KeptLayer, { middle, normed, gateUp }: MlpBlock): void {
  model.backend.rmsNorm({ x: middle, weight: weights.postNorm, out: normed, epsilon: model.config.rmsNormEpsilon });
  linear(model, { a: normed, weight: weights.gateUp, bias: weights.gateUpBias, out: gateUp });
}
