import type { Segments, Tensor } from '../native/backend.ts';
import { orAborted } from './abort.ts';
import type { LanguageModel } from './language-model.ts';
import { attentionScale, linear, projectQkv } from './layer.ts';
import type { LayerWeights } from './weights.ts';
import { type Activations, qkvColumns, splitQkv } from './workspace.ts';

/** Rows of the MLP at once: its activations are the widest. */
const MLP_ROWS = 1024;

/** What is kept of a layer for its backward; all else is recomputed there. Attention's output is kept because only it costs O(T^2). */
export interface LayerCheckpoint {
  readonly input: Tensor; // [T, C]
  readonly attention: Tensor; // [T, H D]
  readonly logSumExp: Tensor; // [T, H]
}

/** Buffers of a dense forward and backward over T rows of one sequence, all freed together. */
export class ProfileBuffers {
  readonly tokens: number;
  readonly segments: Segments;
  readonly hidden: Tensor; // [T, C]
  readonly qkv: Tensor; // [T, (H + 2 Hkv) D]
  readonly mlp: Pick<Activations, 'normed' | 'gateUp' | 'activated'>; // MLP_ROWS rows
  readonly mlpRows: number;
  readonly #model: LanguageModel;
  readonly #owned: Tensor[] = [];

  constructor(model: LanguageModel, tokens: number) {
    this.#model = model;
    this.tokens = tokens;
    this.segments = Int32Array.of(0, tokens, 0, 0);
    const { hiddenSize: C, intermediateSize: F } = model.config;
    this.mlpRows = Math.min(tokens, MLP_ROWS);
    this.hidden = this.make([tokens, C]);
    this.qkv = this.make([tokens, qkvColumns(model.config)]);
    this.mlp = { normed: this.make([this.mlpRows, C]), gateUp: this.make([this.mlpRows, 2 * F]), activated: this.make([this.mlpRows, F]) };
  }

  /** A zero tensor f32 that lives as long as these buffers. */
  make(shape: readonly number[]): Tensor {
    const tensor = this.#model.backend.tensor('f32', shape);
    this.#owned.push(tensor);
    return tensor;
  }

  dispose(): void {
    for (const tensor of this.#owned) tensor.dispose();
  }
}

/** Dense forward of one sequence; gives each layer's checkpoint and the last layer's output (before the final norm). */
export async function checkpointedForward(
  model: LanguageModel,
  options: { readonly buffers: ProfileBuffers; readonly tokens: Int32Array; readonly signal: AbortSignal | undefined },
): Promise<{ readonly checkpoints: readonly LayerCheckpoint[]; readonly output: Tensor }> {
  const { buffers, tokens, signal } = options;
  const { backend, config, weights } = model;
  const ids = backend.tensor('i32', [tokens.length]);
  try {
    ids.write(tokens);
    model.rope.setLength(tokens.length);
    let input = buffers.make([tokens.length, config.hiddenSize]);
    backend.embedding({ ids, table: weights.embedding, out: input });
    const checkpoints: LayerCheckpoint[] = [];
    for (const layer of weights.layers) {
      const attention = buffers.make([tokens.length, config.heads * config.headDim]);
      const checkpoint = { input, attention, logSumExp: buffers.make([tokens.length, config.heads]) };
      enqueueAttention(model, layer, checkpoint, buffers);
      const output = buffers.make([tokens.length, config.hiddenSize]);
      enqueueResidual(model, layer, checkpoint, output);
      enqueueMlp(model, layer, output, buffers);
      checkpoints.push(checkpoint);
      input = output;
      await orAborted(backend.synchronize(), signal);
    }
    return { checkpoints, output: input };
  } finally {
    ids.dispose();
  }
}

/** buffers.qkv = rotated q, k, v of the layer; buffers.hidden = norm(input). */
export function enqueueRotatedQkv(model: LanguageModel, layer: LayerWeights, input: Tensor, buffers: ProfileBuffers): void {
  model.backend.rmsNorm({ x: input, weight: layer.inputNorm, out: buffers.hidden, epsilon: model.config.rmsNormEpsilon });
  const { q, k } = splitQkv(model.config, buffers.qkv);
  projectQkv(model, layer, { normed: buffers.hidden, qkv: buffers.qkv, q, k });
  const { inverseFrequencies, scale } = model.rope;
  model.backend.rope({ q, k, segments: buffers.segments, inverseFrequencies, scale });
}

function enqueueAttention(model: LanguageModel, layer: LayerWeights, checkpoint: LayerCheckpoint, buffers: ProfileBuffers): void {
  const { heads, headDim } = model.config;
  enqueueRotatedQkv(model, layer, checkpoint.input, buffers);
  model.backend.attentionPrefill({
    ...splitQkv(model.config, buffers.qkv),
    out: checkpoint.attention.reshape([buffers.tokens, heads, headDim]),
    segments: buffers.segments,
    scale: attentionScale(model),
    logSumExp: checkpoint.logSumExp,
  });
}

/** out (zeros) = input + attention . Wo: the residual stream between attention and MLP. */
export function enqueueResidual(model: LanguageModel, layer: LayerWeights, checkpoint: LayerCheckpoint, out: Tensor): void {
  model.backend.add({ x: out, y: checkpoint.input });
  linear(model, { a: checkpoint.attention, weight: layer.output, bias: layer.outputBias, out, accumulate: true });
}

/** residual += MLP(norm(residual)), in blocks of rows. */
function enqueueMlp(model: LanguageModel, layer: LayerWeights, residual: Tensor, buffers: ProfileBuffers): void {
  forEachMlpBlock(buffers, (start, count) => {
    const block = residual.rows(start, count);
    const { gateUp, activated } = enqueueMlpActivation(model, layer, block, buffers);
    model.backend.siluMul({ gateUp, out: activated });
    linear(model, { a: activated, weight: layer.down, bias: layer.downBias, out: block, accumulate: true });
  });
}

/** gateUp = norm(block) . Wgu for up to mlpRows rows; views of the block's size into the MLP buffers. */
export function enqueueMlpActivation(
  model: LanguageModel,
  layer: LayerWeights,
  block: Tensor,
  buffers: ProfileBuffers,
): ProfileBuffers['mlp'] {
  const count = block.shape[0] ?? 0;
  const views = {
    normed: buffers.mlp.normed.rows(0, count),
    gateUp: buffers.mlp.gateUp.rows(0, count),
    activated: buffers.mlp.activated.rows(0, count),
  };
  model.backend.rmsNorm({ x: block, weight: layer.postNorm, out: views.normed, epsilon: model.config.rmsNormEpsilon });
  linear(model, { a: views.normed, weight: layer.gateUp, bias: layer.gateUpBias, out: views.gateUp });
  return views;
}

export function forEachMlpBlock(buffers: ProfileBuffers, use: (start: number, count: number) => void): void {
  for (let start = 0; start < buffers.tokens; start += buffers.mlpRows) use(start, Math.min(buffers.mlpRows, buffers.tokens - start));
}
