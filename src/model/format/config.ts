import { join } from 'node:path';
import { z } from 'zod';
import { describe, MoaError } from '../../core/errors.ts';
import { parseOrThrow } from '../../core/json-file.ts';
import { modelFile, readModelJson } from './model-files.ts';
import { parseRope, type RopeScaling } from './rope-config.ts';
import { refuseLayerTypes, refuseUnimplementedFields } from './unimplemented-fields.ts';

type Architecture = 'llama' | 'mistral' | 'qwen2' | 'qwen3';

/** A causal language model's shape and arithmetic, normalised from a Hugging Face config.json. Lengths in tokens. */
export interface ModelConfig {
  readonly architecture: Architecture;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly vocabSize: number;
  readonly rmsNormEpsilon: number;
  readonly ropeTheta: number;
  /** null: plain RoPE. */
  readonly ropeScaling: RopeScaling | null;
  readonly maxPositions: number;
  /**
   * A window that the model was trained with (Mistral 7B v0.1, some Qwen2), null if none applies. It changes nothing in a sequence of up to
   * this many tokens. A longer sequence is UNSUPPORTED, because it would run with another mask than the model's.
   */
  readonly slidingWindow: number | null;
  readonly tiedEmbeddings: boolean;
  /** Bias on the q, k and v projections. */
  readonly attentionBias: boolean;
  /** Bias on the attention's output projection. */
  readonly outputBias: boolean;
  readonly mlpBias: boolean;
  /** RMSNorm over each head of q and k before RoPE (Qwen3). */
  readonly qkNorm: boolean;
  readonly bosToken: number | null;
  readonly eosTokens: readonly number[];
}

/** What differs between the families when config.json leaves a key out; values are those of transformers' configuration classes. */
interface Family {
  readonly maxPositions: number;
  readonly headDim?: number;
  readonly bosToken: number | null;
  readonly eosTokens: readonly number[];
  readonly slidingWindow: number | null;
}

const FAMILIES: Readonly<Record<Architecture, Family>> = {
  llama: { maxPositions: 2048, bosToken: 1, eosTokens: [2], slidingWindow: null },
  mistral: { maxPositions: 131072, bosToken: 1, eosTokens: [2], slidingWindow: 4096 },
  qwen2: { maxPositions: 32768, bosToken: null, eosTokens: [], slidingWindow: 4096 },
  qwen3: { maxPositions: 32768, headDim: 128, bosToken: null, eosTokens: [], slidingWindow: 4096 },
};

/** Default of max_window_layers in transformers. */
const QWEN_MAX_WINDOW_LAYERS = 28;

const ARCHITECTURES: Readonly<Record<string, Architecture>> = {
  LlamaForCausalLM: 'llama',
  MistralForCausalLM: 'mistral',
  Qwen2ForCausalLM: 'qwen2',
  Qwen3ForCausalLM: 'qwen3',
};

/** The largest head dim of the attention kernels (native/ops/op_checker.cc), which take multiples of 8. */
const MAX_HEAD_DIM = 256;

// The bounds keep every product of two sizes a safe integer, so that a hostile file gets an error message and not a huge allocation.
const size = z
  .int()
  .min(1)
  .max(2 ** 24);
const token = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);
const flag = z.boolean().nullish();

/**
 * The fields that say which family a model belongs to. They are read first, because another family may have other fields, or the same with
 * other types.
 */
const familySchema = z.looseObject({ architectures: z.array(z.string()).nullish(), model_type: z.string().nullish() });

/** Hugging Face adds keys freely, so unknown ones pass; those that would change the arithmetic are named and checked (unimplemented-fields.ts). */
const configSchema = z.looseObject({
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: z.int().min(1).max(4096),
  num_attention_heads: z.int().min(1).max(4096),
  num_key_value_heads: z.int().min(1).max(4096).nullish(),
  head_dim: z.int().min(2).max(1024).nullish(),
  vocab_size: size,
  rms_norm_eps: z.number().positive().max(1).default(1e-6),
  max_position_embeddings: z
    .int()
    .min(1)
    .max(2 ** 30)
    .nullish(),
  tie_word_embeddings: flag,
  attention_bias: flag,
  mlp_bias: flag,
  hidden_act: z.string().nullish(),
  sliding_window: z.int().min(0).nullish(),
  use_sliding_window: flag,
  max_window_layers: z.int().min(0).nullish(),
  layer_types: z.array(z.string()).nullish(),
  quantization_config: z.unknown().optional(),
  bos_token_id: token.nullish(),
  eos_token_id: z.union([token, z.array(token)]).nullish(),
});
type RawConfig = z.infer<typeof configSchema>;

/**
 * The configuration in `folder`/config.json, with the end tokens of generation_config.json when it has some (as transformers' generate).
 * @throws MoaError NOT_FOUND, INVALID_FILE (malformed) or UNSUPPORTED (names what is supported).
 */
export function readModelConfig(folder: string): ModelConfig {
  const config = parseModelConfig(readModelJson(z.unknown(), folder, 'config.json', 'a model configuration'), join(folder, 'config.json'));
  const eosTokens = generationEosTokens(folder);
  return eosTokens === null ? config : { ...config, eosTokens };
}

/** A config.json's parsed content as a ModelConfig; `source` is its name in messages. Errors as `readModelConfig`. */
export function parseModelConfig(json: unknown, source: string): ModelConfig {
  const context = { what: 'a model configuration', path: source };
  const architecture = architectureOf(parseOrThrow(familySchema, json, context), source);
  const raw = parseOrThrow(configSchema, json, context);
  checkSupported(raw, source);
  const family = FAMILIES[architecture];
  const heads = raw.num_attention_heads;
  const kvHeads = raw.num_key_value_heads ?? (architecture === 'llama' || raw.num_key_value_heads === null ? heads : undefined);
  if (kvHeads === undefined) throw invalid(source, `num_key_value_heads for ${architecture}`, kvHeads);
  if (heads % kvHeads !== 0) throw invalid(source, `num_key_value_heads to divide num_attention_heads (${heads})`, kvHeads);
  const headDim = raw.head_dim ?? family.headDim ?? raw.hidden_size / heads;
  if (!Number.isInteger(headDim) || headDim % 2 !== 0)
    throw invalid(source, 'an even integer head_dim (or hidden_size / num_attention_heads)', headDim);
  if (headDim % 8 !== 0 || headDim > MAX_HEAD_DIM)
    throw unsupported(source, `a head_dim that is a multiple of 8 up to ${MAX_HEAD_DIM}`, headDim);
  refuseUnimplementedFields(raw, source, { headDim, hiddenSize: raw.hidden_size });
  const maxPositions = raw.max_position_embeddings ?? family.maxPositions;
  const rope = parseRope(raw, { source, maxPositions });
  const bias = raw.attention_bias ?? false;
  return {
    architecture,
    hiddenSize: raw.hidden_size,
    intermediateSize: raw.intermediate_size,
    layers: raw.num_hidden_layers,
    heads,
    kvHeads,
    headDim,
    vocabSize: raw.vocab_size,
    rmsNormEpsilon: raw.rms_norm_eps,
    ...rope,
    maxPositions,
    slidingWindow: slidingWindowOf(raw, { architecture, maxPositions, source }),
    tiedEmbeddings: raw.tie_word_embeddings ?? false,
    // Qwen2 has q, k and v biases always; Llama and Qwen3 put attention_bias on all four projections; Mistral has none.
    attentionBias: architecture === 'qwen2' || (architecture !== 'mistral' && bias),
    outputBias: (architecture === 'llama' || architecture === 'qwen3') && bias,
    mlpBias: architecture === 'llama' && (raw.mlp_bias ?? false),
    qkNorm: architecture === 'qwen3',
    bosToken: raw.bos_token_id === undefined ? family.bosToken : raw.bos_token_id,
    eosTokens: raw.eos_token_id === undefined ? family.eosTokens : tokenList(raw.eos_token_id),
  };
}

function architectureOf(raw: z.infer<typeof familySchema>, source: string): Architecture {
  const name = raw.architectures?.[0];
  const byName = name === undefined ? undefined : Object.hasOwn(ARCHITECTURES, name) ? ARCHITECTURES[name] : undefined;
  const byType = Object.values(ARCHITECTURES).find((a) => a === raw.model_type);
  const found = name === undefined ? byType : byName;
  if (found === undefined) {
    throw unsupported(source, `one of the architectures ${Object.keys(ARCHITECTURES).join(', ')}`, name ?? raw.model_type);
  }
  const nested =
    raw.hidden_size === undefined ? Object.keys(raw).find((key) => /^(text|llm|language|decoder)_config$/.test(key)) : undefined;
  if (nested !== undefined) {
    throw unsupported(source, `the fields of one of the architectures ${Object.keys(ARCHITECTURES).join(', ')}`, nested);
  }
  return found;
}

function checkSupported(raw: RawConfig, source: string): void {
  const activation = raw.hidden_act ?? 'silu';
  if (activation !== 'silu' && activation !== 'swish') throw unsupported(source, 'hidden_act silu', activation);
  if (raw.quantization_config !== undefined && raw.quantization_config !== null) {
    throw unsupported(source, 'unquantized weights (f32, f16 or bf16) without quantization_config', raw.quantization_config);
  }
}

function slidingWindowOf(
  raw: RawConfig,
  { architecture, maxPositions, source }: { readonly architecture: Architecture; readonly maxPositions: number; readonly source: string },
): number | null {
  refuseLayerTypes(raw.layer_types, source, architecture === 'llama' ? ['full_attention'] : ['full_attention', 'sliding_attention']);
  if (architecture === 'llama') return null;
  if (architecture !== 'mistral' && !qwenSlides(raw)) return null;
  const window = raw.sliding_window === undefined ? FAMILIES[architecture].slidingWindow : raw.sliding_window;
  if (window === 0) throw invalid(source, 'a positive sliding_window', window);
  return window === null || window >= maxPositions ? null : window;
}

/** Qwen's layers from max_window_layers on slide, unless layer_types says which do. */
function qwenSlides(raw: RawConfig): boolean {
  if (raw.use_sliding_window !== true) return false;
  if (raw.layer_types) return raw.layer_types.includes('sliding_attention');
  return (raw.max_window_layers ?? QWEN_MAX_WINDOW_LAYERS) < raw.num_hidden_layers;
}

function tokenList(value: number | readonly number[] | null): readonly number[] {
  return value === null ? [] : typeof value === 'number' ? [value] : value;
}

const generationSchema = z.looseObject({ eos_token_id: z.union([token, z.array(token)]).nullish() });

function generationEosTokens(folder: string): readonly number[] | null {
  const name = 'generation_config.json';
  if (modelFile(folder, name) === null) return null;
  const raw = readModelJson(generationSchema, folder, name, 'a generation configuration');
  return raw.eos_token_id === undefined || raw.eos_token_id === null ? null : tokenList(raw.eos_token_id);
}

function invalid(source: string, what: string, received: unknown): MoaError {
  return new MoaError(`Expected ${what} in ${source} but received ${describe(received)}`, { code: 'INVALID_FILE' });
}

function unsupported(source: string, what: string, received: unknown): MoaError {
  return new MoaError(`Expected ${what} in ${source} but received ${describe(received)}`, {
    code: 'UNSUPPORTED',
    hint: 'Choose a Llama-2/3.x, Mistral, Qwen2 or Qwen3 checkpoint with SiLU activations and f32, f16 or bf16 weights.',
  });
}
