import { BYTES_PER_ELEMENT, type FloatDType } from '../../native/backend.ts';
import type { LanguageModel } from '../inference/language-model.ts';
import { qkvColumns } from '../inference/workspace.ts';

/**
 * What the backward of a layer computes again instead of keeping it from the forward. `none`: nothing. `mlp`: the MLP's wide projection.
 * `all`: also attention's projections. For a 7B model, the matrix products of both passes are 2.0, 2.4 and 2.8 times those of the forward.
 */
export type RecomputePolicy = 'none' | 'mlp' | 'all';

/** A tensor with one row per token. */
export interface RowShape {
  readonly dtype: FloatDType;
  readonly columns: number;
}

/** The tensors of a layer's forward that its backward reads, without its input (see KeptLayer). */
const LAYER_TENSORS = ['qkv', 'attention', 'logSumExp', 'middle', 'gateUp'] as const;
export type LayerTensor = (typeof LAYER_TENSORS)[number];

const RECOMPUTED: Readonly<Record<RecomputePolicy, readonly LayerTensor[]>> = {
  none: [],
  mlp: ['gateUp'],
  all: ['gateUp', 'qkv', 'middle'], // never attention itself, which costs O(T^2)
};

/** `kept`: the tensors that every layer keeps. `shared`: those that are computed again, so that one buffer serves all layers. */
export function layerTensors(recompute: RecomputePolicy): {
  readonly kept: readonly LayerTensor[];
  readonly shared: readonly LayerTensor[];
} {
  const shared = RECOMPUTED[recompute];
  return { kept: LAYER_TENSORS.filter((name) => !shared.includes(name)), shared };
}

/** The residual stream is f32 whatever the activations are: it sums over all layers. */
export function streamShape({ config }: LanguageModel): RowShape {
  return { dtype: 'f32', columns: config.hiddenSize };
}

export function layerShapes({ config, activationDType: dtype }: LanguageModel): Readonly<Record<LayerTensor, RowShape>> {
  return {
    qkv: { dtype, columns: qkvColumns(config) },
    attention: { dtype, columns: config.heads * config.headDim },
    logSumExp: { dtype: 'f32', columns: config.heads },
    middle: { dtype: 'f32', columns: config.hiddenSize },
    gateUp: { dtype, columns: 2 * config.intermediateSize },
  };
}

/** Buffers that all layers share under every policy, see ProfileBuffers. */
export function scratchShapes({ config, activationDType: dtype }: LanguageModel) {
  const { hiddenSize, intermediateSize, heads, kvHeads, headDim } = config;
  return {
    hidden: { dtype, columns: hiddenSize },
    rotated: { dtype, columns: config.qkNorm ? (heads + kvHeads) * headDim : 0 },
    gradResidual: { dtype: 'f32', columns: hiddenSize },
    gradAttention: { dtype, columns: heads * headDim },
    gradQkv: { dtype, columns: qkvColumns(config) },
    normed: { dtype, columns: hiddenSize },
    activated: { dtype, columns: intermediateSize },
    gradGateUp: { dtype, columns: 2 * intermediateSize },
  } as const satisfies Readonly<Record<string, RowShape>>;
}

/** Bytes of ProfileBuffers, as if the MLP always took all tokens at once. */
export function profileBytes(model: LanguageModel, tokens: number, recompute: RecomputePolicy): number {
  const shapes = layerShapes(model);
  const { kept, shared } = layerTensors(recompute);
  const layer = rowBytes([streamShape(model), ...kept.map((name) => shapes[name])]);
  const scratch = rowBytes([streamShape(model), ...shared.map((name) => shapes[name]), ...Object.values(scratchShapes(model))]);
  return tokens * (model.config.layers * layer + scratch);
}

function rowBytes(shapes: readonly RowShape[]): number {
  return shapes.reduce((sum, { dtype, columns }) => sum + columns * BYTES_PER_ELEMENT[dtype], 0);
}
