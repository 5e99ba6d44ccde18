/**
 * config.json contents by name, for `dummy:<name>`: the published shapes of models that the literature measures (facts of their
 * model cards), and `tiny` for trials.
 */
export const PRESETS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  tiny: {
    ...llama({ hidden: 64, ff: 160, layers: 2, heads: 4, kvHeads: 2, vocab: 256, positions: 8192, theta: 10000 }),
    tie_word_embeddings: true,
  },
  'llama-3.2-1b': {
    ...llama({ hidden: 2048, ff: 8192, layers: 16, heads: 32, kvHeads: 8, vocab: 128256, positions: 131072, theta: 500000 }),
    tie_word_embeddings: true,
    rope_scaling: { rope_type: 'llama3', factor: 32, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 },
  },
  'llama-3-8b': llama({ hidden: 4096, ff: 14336, layers: 32, heads: 32, kvHeads: 8, vocab: 128256, positions: 8192, theta: 500000 }),
  'vicuna-7b': {
    ...llama({ hidden: 4096, ff: 11008, layers: 32, heads: 32, kvHeads: 32, vocab: 32000, positions: 4096, theta: 10000 }),
    rope_scaling: { type: 'linear', factor: 4 },
  },
  'vicuna-13b': {
    ...llama({ hidden: 5120, ff: 13824, layers: 40, heads: 40, kvHeads: 40, vocab: 32000, positions: 4096, theta: 10000 }),
    rope_scaling: { type: 'linear', factor: 4 },
  },
};

interface LlamaShape {
  readonly hidden: number;
  readonly ff: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly vocab: number;
  readonly positions: number;
  readonly theta: number;
}

function llama(shape: LlamaShape): Record<string, unknown> {
  return {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    hidden_size: shape.hidden,
    intermediate_size: shape.ff,
    num_hidden_layers: shape.layers,
    num_attention_heads: shape.heads,
    num_key_value_heads: shape.kvHeads,
    vocab_size: shape.vocab,
    max_position_embeddings: shape.positions,
    rope_theta: shape.theta,
    rms_norm_eps: 1e-5,
    hidden_act: 'silu',
  };
}
