import { describe, MoaError } from '../../core/errors.ts';

/** Sizes that some neutral values depend on. */
interface Shape {
  readonly headDim: number;
  readonly hiddenSize: number;
}

type IsNeutral = (value: unknown, shape: Shape) => boolean;

/** Nothing asked for: absent, null, false, 0, '' or an empty list or object. */
const isOff: IsNeutral = (value) =>
  value === undefined ||
  value === null ||
  value === false ||
  value === 0 ||
  value === '' ||
  (typeof value === 'object' && Object.keys(value).length === 0);
const isFactorOne: IsNeutral = (value) => value === undefined || value === null || value === 1 || isListOf(value, 1);
/** The scale that attention has anyway is neutral; so is 1, the default of the classes that know the field. */
const isOwnScale: IsNeutral = (value, { headDim }) =>
  isFactorOne(value, { headDim, hiddenSize: 0 }) || (typeof value === 'number' && Math.abs(value * Math.sqrt(headDim) - 1) < 1e-4);
const isText =
  (...texts: readonly string[]): IsNeutral =>
  (value) =>
    value === undefined || value === null || (typeof value === 'string' && texts.includes(value));

const NO_SHAPE: Shape = { headDim: 0, hiddenSize: 0 };

function isListOf(value: unknown, item: unknown): boolean {
  return Array.isArray(value) && value.every((x) => x === item);
}

const OFF_FIELDS = [
  // Positions other than rotary ones, or rotary ones only in some layers (Falcon, MPT, BLOOM, SmolLM3, Llama 4, Qwen 1).
  'alibi',
  'use_alibi',
  'learned_pos_emb',
  'no_rope_layer_interval',
  'nope_layer_interval',
  'use_logn_attn',
  'use_dynamic_ntk',
  'rope_local_base_freq',
  'rope_interleaved',
  'llama_4_scaling',
  'attn_temperature_tuning',
  // Masks other than the causal one (Qwen2 1M, Llama 4, Gemma 3, Cohere 2, MPT).
  'dual_chunk_attention_config',
  'attention_chunk_size',
  'sparse_attention_config',
  'sliding_window_pattern',
  'use_bidirectional_attention',
  'prefix_lm',
  'is_encoder_decoder',
  'add_cross_attention',
  // Scores and logits bent or clipped (Gemma 2, Grok, DBRX, OLMo, GPT-OSS).
  'attn_logit_softcapping',
  'attn_logit_softcap',
  'attention_logit_softcapping',
  'attention_logit_cap',
  'final_logit_softcapping',
  'final_logit_softcap',
  'logits_soft_cap',
  'clip_qkv',
  'attention_sinks',
  'use_attention_sinks',
  // Layers wired in another way (Falcon, StableLM, GPT-NeoX, OLMo 2, MiniCPM 3, Gemma 3n, experts, gates).
  'parallel_attn',
  'use_parallel_residual',
  'new_decoder_architecture',
  'multi_query',
  'attn_output_gate',
  'use_gated_attention',
  'kv_lora_rank',
  'q_lora_rank',
  'num_kv_shared_layers',
  'num_local_experts',
  'num_experts',
  'n_routed_experts',
  // Norms over heads that the family does not have (Cohere, StableLM, MPT, Hunyuan, Llama 4); Qwen3's own are implied.
  'use_qk_norm',
  'qk_norm',
  'qk_layernorm',
  'qk_ln',
  // Biases by other names than attention_bias and mlp_bias (Falcon, StableLM, StarCoder 2).
  'bias',
  'use_bias',
  'use_qkv_bias',
  'qkv_bias',
] as const;

const FACTOR_FIELDS = [
  // Granite, Cohere, MiniCPM, Falcon-H1, Grok, muP checkpoints.
  'embedding_multiplier',
  'residual_multiplier',
  'logits_scaling',
  'logit_scale',
  'logit_multiplier',
  'lm_head_multiplier',
  'embedding_multiplier_scale',
  'output_multiplier_scale',
  'scale_emb',
  'embedding_scale',
  'scale_depth',
  'key_multiplier',
  'attention_in_multiplier',
  'attention_out_multiplier',
  'mlp_multipliers',
  'mup_scale_emb',
  'partial_rotary_factor',
  'rotary_pct',
  'rope_pct',
  'embedding_fraction',
  'cla_share_factor',
] as const;

/** Fields of config.json that change what a model computes and are not implemented here, each with the values that change nothing. */
const FIELDS: Readonly<Record<string, { readonly isNeutral: IsNeutral; readonly neutral: string }>> = {
  ...Object.fromEntries(OFF_FIELDS.map((name) => [name, { isNeutral: isOff, neutral: 'null' }])),
  ...Object.fromEntries(FACTOR_FIELDS.map((name) => [name, { isNeutral: isFactorOne, neutral: '1' }])),
  // SmolLM3 marks a layer with rotary positions by 1 and one without by 0.
  no_rope_layers: { isNeutral: (value) => isOff(value, NO_SHAPE) || isListOf(value, 1), neutral: 'null, or 1 for every layer' },
  attention_multiplier: { isNeutral: isOwnScale, neutral: '1 / sqrt(head_dim)' },
  attention_scale: { isNeutral: isOwnScale, neutral: '1 / sqrt(head_dim)' },
  softmax_scale: { isNeutral: isOwnScale, neutral: '1 / sqrt(head_dim)' },
  query_pre_attn_scalar: { isNeutral: (value, { headDim }) => isOff(value, NO_SHAPE) || value === headDim, neutral: 'head_dim' },
  dim_model_base: { isNeutral: (value, { hiddenSize }) => isOff(value, NO_SHAPE) || value === hiddenSize, neutral: 'hidden_size' },
  hidden_activation: { isNeutral: isText('silu', 'swish'), neutral: 'silu' },
  position_embedding_type: { isNeutral: isText('rope', 'rotary'), neutral: 'rope' },
};

/**
 * Refuses a config.json that asks for another computation than a Llama-like model's, in a field of another family of models.
 * @throws MoaError UNSUPPORTED naming the field and the values that are supported.
 */
export function refuseUnimplementedFields(raw: Readonly<Record<string, unknown>>, source: string, shape: Shape): void {
  for (const [name, { isNeutral, neutral }] of Object.entries(FIELDS)) {
    if (!Object.hasOwn(raw, name) || isNeutral(raw[name], shape)) continue;
    throw new MoaError(`Expected no ${name} (or ${neutral}) in ${source} but received ${describe(raw[name])}`, {
      code: 'UNSUPPORTED',
      hint: 'This field changes what the model computes, and it is not implemented here.',
    });
  }
}

/** Refuses layers of other kinds than `allowed`. */
export function refuseLayerTypes(types: readonly string[] | null | undefined, source: string, allowed: readonly string[]): void {
  const other = types?.find((type) => !allowed.includes(type));
  if (other === undefined) return;
  throw new MoaError(`Expected layer_types of ${allowed.join(', ')} in ${source} but received ${describe(other)}`, {
    code: 'UNSUPPORTED',
    hint: 'Layers of other kinds are not implemented here.',
  });
}
