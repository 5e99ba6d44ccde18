import type { ModelConfig } from '../config.ts';

export const EMBEDDING = 'model.embed_tokens.weight';
export const FINAL_NORM = 'model.norm.weight';
export const LM_HEAD = 'lm_head.weight';
const LAYER_TENSOR = /^model\.layers\.(\d+)\.(.+)$/;

/** Hugging Face's name of a tensor of a layer, for example `layerName(3, 'self_attn.q_proj.weight')`. */
export function layerName(layer: number, name: string): string {
  return `model.layers.${layer}.${name}`;
}

/** The layer of a Hugging Face tensor name, or null when it belongs to none. */
export function layerOf(name: string): number | null {
  const match = LAYER_TENSOR.exec(name);
  return match === null ? null : Number(match[1]);
}

/** The shape that a model of this configuration needs for a Hugging Face tensor name, or undefined when it has no such tensor. */
export function expectedShape(config: ModelConfig, name: string): readonly number[] | undefined {
  const { hiddenSize: C, vocabSize: V } = config;
  if (name === EMBEDDING) return [V, C];
  if (name === FINAL_NORM) return [C];
  if (name === LM_HEAD) return config.tiedEmbeddings ? undefined : [V, C];
  const match = LAYER_TENSOR.exec(name);
  if (match === null || Number(match[1]) >= config.layers) return undefined;
  return layerShape(config, match[2] ?? '');
}

const LAYER_NAMES = [
  'input_layernorm.weight',
  'post_attention_layernorm.weight',
  ...['q', 'k', 'v', 'o'].flatMap((p) => [`self_attn.${p}_proj.weight`, `self_attn.${p}_proj.bias`]),
  ...['q', 'k'].map((p) => `self_attn.${p}_norm.weight`),
  ...['gate', 'up', 'down'].flatMap((p) => [`mlp.${p}_proj.weight`, `mlp.${p}_proj.bias`]),
];

/** The names of all tensors that a model of this configuration needs. */
export function neededTensors(config: ModelConfig): readonly string[] {
  const ofLayer = LAYER_NAMES.filter((name) => layerShape(config, name) !== undefined);
  const layers = Array.from({ length: config.layers }, (_, layer) => ofLayer.map((name) => layerName(layer, name)));
  return [EMBEDDING, FINAL_NORM, ...(config.tiedEmbeddings ? [] : [LM_HEAD]), ...layers.flat()];
}

function layerShape(config: ModelConfig, name: string): readonly number[] | undefined {
  const { hiddenSize: C, intermediateSize: F, headDim: D } = config;
  const [qRows, kvRows] = [config.heads * D, config.kvHeads * D];
  const biases = { q: config.attentionBias, o: config.outputBias, mlp: config.mlpBias };
  switch (name) {
    case 'input_layernorm.weight':
    case 'post_attention_layernorm.weight':
      return [C];
    case 'self_attn.q_proj.weight':
      return [qRows, C];
    case 'self_attn.k_proj.weight':
    case 'self_attn.v_proj.weight':
      return [kvRows, C];
    case 'self_attn.o_proj.weight':
      return [C, qRows];
    case 'mlp.gate_proj.weight':
    case 'mlp.up_proj.weight':
      return [F, C];
    case 'mlp.down_proj.weight':
      return [C, F];
    case 'self_attn.q_norm.weight':
    case 'self_attn.k_norm.weight':
      return config.qkNorm ? [D] : undefined;
    case 'self_attn.q_proj.bias':
      return biases.q ? [qRows] : undefined;
    case 'self_attn.k_proj.bias':
    case 'self_attn.v_proj.bias':
      return biases.q ? [kvRows] : undefined;
    case 'self_attn.o_proj.bias':
      return biases.o ? [C] : undefined;
    case 'mlp.gate_proj.bias':
    case 'mlp.up_proj.bias':
      return biases.mlp ? [F] : undefined;
    case 'mlp.down_proj.bias':
      return biases.mlp ? [C] : undefined;
    default:
      return undefined;
  }
}
