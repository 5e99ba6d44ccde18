import type { Segments, Tensor } from '../../native/backend.ts';
import type { LayerWeights } from '../format/weights/weights.ts';
import type { LanguageModel } from '../inference/language-model.ts';
import { type LayerTensor, layerShapes, layerTensors, type RecomputePolicy, type RowShape, scratchShapes, streamShape } from './shapes.ts';

/**
 * A layer with the tensors of its forward that its backward reads. Some are kept; the others are shared buffers in which they are computed
 * again.
 */
export interface KeptLayer extends Readonly<Record<LayerTensor, Tensor>> {
  readonly index: number;
  readonly weights: LayerWeights;
  readonly input: Tensor; // f32 [T, C]: the residual stream before the layer
  readonly qkv: Tensor; // [T, (H + 2 Hkv) D]: before the head norms where the model has them, else after RoPE
  readonly attention: Tensor; // [T, H D]
  readonly logSumExp: Tensor; // f32 [T, H]
  readonly middle: Tensor; // f32 [T, C]: the residual stream between attention and MLP
  readonly gateUp: Tensor; // [T, 2F], or [mlpRows, 2F] when recomputed
  readonly output: Tensor; // f32 [T, C]: the residual stream after the layer
}

/**
 * Buffers of a dense forward and backward over T rows of one sequence, all freed together. They have the activation dtype, except those
 * marked f32.
 */
export class ProfileBuffers {
  readonly tokens: number;
  readonly segments: Segments;
  readonly recompute: RecomputePolicy;
  readonly layers: readonly KeptLayer[];
  readonly output: Tensor; // f32 [T, C]: of the last layer
  readonly hidden: Tensor; // [T, C]: a normed input, then gradients
  readonly rotated: Tensor | null; // [T, (H + Hkv) D]: q and k after head norms and RoPE; null without head norms
  readonly gradResidual: Tensor; // f32 [T, C]
  readonly gradAttention: Tensor; // [T, H D]
  readonly gradQkv: Tensor; // [T, (H + 2 Hkv) D]
  /** Rows that the MLP takes at once; few, because its activations are the widest. */
  readonly mlpRows: number;
  readonly normed: Tensor; // [mlpRows, C]: a normed middle, then gradients
  readonly activated: Tensor; // [mlpRows, F]: then its gradient
  readonly gradGateUp: Tensor; // [mlpRows, 2F]
  readonly #model: LanguageModel;
  readonly #owned: Tensor[] = [];

  /** @throws MoaError OUT_OF_MEMORY, with everything freed. */
  constructor(model: LanguageModel, tokens: number, recompute: RecomputePolicy) {
    this.#model = model;
    this.tokens = tokens;
    this.segments = Int32Array.of(0, tokens, 0, 0);
    this.recompute = recompute;
    this.mlpRows = Math.min(tokens, model.blockRows);
    const shapes = scratchShapes(model);
    try {
      this.output = this.#make(streamShape(model));
      this.layers = this.#makeLayers();
      this.hidden = this.#make(shapes.hidden);
      this.rotated = model.config.qkNorm ? this.#make(shapes.rotated) : null;
      this.gradResidual = this.#make(shapes.gradResidual);
      this.gradAttention = this.#make(shapes.gradAttention);
      this.gradQkv = this.#make(shapes.gradQkv);
      this.normed = this.#make(shapes.normed, this.mlpRows);
      this.activated = this.#make(shapes.activated, this.mlpRows);
      this.gradGateUp = this.#make(shapes.gradGateUp, this.mlpRows);
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  dispose(): void {
    for (const tensor of this.#owned) tensor.dispose();
  }

  #makeLayers(): readonly KeptLayer[] {
    const shapes = layerShapes(this.#model);
    const { kept, shared } = layerTensors(this.recompute);
    const inputs = this.#model.weights.layers.map(() => this.#make(streamShape(this.#model)));
    const sharedTensors = shared.map((name) => [name, this.#make(shapes[name], name === 'gateUp' ? this.mlpRows : this.tokens)] as const);
    return this.#model.weights.layers.map((weights, index) => {
      const ownTensors = kept.map((name) => [name, this.#make(shapes[name])] as const);
      const tensors = Object.fromEntries([...sharedTensors, ...ownTensors]) as Record<LayerTensor, Tensor>;
      return { index, weights, input: inputs[index] ?? this.output, ...tensors, output: inputs[index + 1] ?? this.output };
    });
  }

  /** A zero tensor. */
  #make({ dtype, columns }: RowShape, rows: number = this.tokens): Tensor {
    const tensor = this.#model.backend.tensor(dtype, [rows, columns]);
    this.#owned.push(tensor);
    return tensor;
  }
}
