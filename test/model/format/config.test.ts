import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MoaError } from '../../../src/core/errors.ts';
import { parseModelConfig, readModelConfig } from '../../../src/model/format/config.ts';
import { PRESETS } from '../../../src/model/format/presets.ts';
import { errorOf } from '../../error-of.ts';

const BASE = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 128,
  max_position_embeddings: 256,
  hidden_act: 'silu',
};

const configError = (json: unknown): MoaError => errorOf(() => parseModelConfig(json, 'config.json'));

describe('parseModelConfig', () => {
  test('fills in what transformers would', () => {
    expect(parseModelConfig(BASE, 'config.json')).toEqual({
      architecture: 'llama',
      hiddenSize: 64,
      intermediateSize: 96,
      layers: 2,
      heads: 4,
      kvHeads: 2,
      headDim: 16,
      vocabSize: 128,
      rmsNormEpsilon: 1e-6,
      ropeTheta: 10000,
      ropeScaling: null,
      maxPositions: 256,
      slidingWindow: null,
      tiedEmbeddings: false,
      attentionBias: false,
      outputBias: false,
      mlpBias: false,
      qkNorm: false,
      bosToken: 1,
      eosTokens: [2],
    });
  });

  test('knows the differences between the families', () => {
    const of = (name: string, more: object) => parseModelConfig({ ...BASE, architectures: [`${name}ForCausalLM`], ...more }, 'c');
    expect(of('Qwen2', {})).toMatchObject({
      architecture: 'qwen2',
      attentionBias: true,
      outputBias: false,
      eosTokens: [],
      slidingWindow: null,
    });
    expect(of('Qwen3', { attention_bias: true })).toMatchObject({ headDim: 128, qkNorm: true, attentionBias: true, outputBias: true });
    expect(of('Mistral', { head_dim: 32, eos_token_id: [2, 7] })).toMatchObject({ headDim: 32, attentionBias: false, eosTokens: [2, 7] });
    expect(of('Llama', { attention_bias: true, mlp_bias: true })).toMatchObject({ attentionBias: true, outputBias: true, mlpBias: true });
    expect(of('Llama', { num_key_value_heads: null })).toMatchObject({ kvHeads: 4 });
  });

  test('keeps a sliding window only where it would change results', () => {
    const mistral = { ...BASE, architectures: ['MistralForCausalLM'], max_position_embeddings: 32768 };
    expect(parseModelConfig({ ...mistral, sliding_window: 4096 }, 'c').slidingWindow).toBe(4096);
    expect(parseModelConfig(mistral, 'c').slidingWindow).toBe(4096);
    expect(parseModelConfig({ ...mistral, sliding_window: null }, 'c').slidingWindow).toBeNull();
    expect(parseModelConfig({ ...mistral, sliding_window: 32768 }, 'c').slidingWindow).toBeNull();
    const qwen = { ...BASE, architectures: ['Qwen2ForCausalLM'], sliding_window: 32 };
    const slides = (more: object) => parseModelConfig({ ...qwen, use_sliding_window: true, ...more }, 'c').slidingWindow;
    expect(slides({ max_window_layers: 1 })).toBe(32);
    // Layers from max_window_layers on slide: with as many as the model has, or its default of 28, none does.
    expect(slides({ max_window_layers: 2 })).toBeNull();
    expect(slides({})).toBeNull();
    expect(slides({ layer_types: ['full_attention', 'sliding_attention'] })).toBe(32);
    expect(slides({ max_window_layers: 1, layer_types: ['full_attention', 'full_attention'] })).toBeNull();
    expect(parseModelConfig({ ...qwen, use_sliding_window: false, sliding_window: 0 }, 'c').slidingWindow).toBeNull();
    expect(parseModelConfig({ ...qwen, use_sliding_window: false }, 'c').slidingWindow).toBeNull();
  });

  test('reads rope parameters in the style before and after transformers 5', () => {
    const scaling = { factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 64 };
    const old = parseModelConfig({ ...BASE, rope_theta: 5e5, rope_scaling: { type: 'llama3', ...scaling } }, 'c');
    const current = parseModelConfig({ ...BASE, rope_parameters: { rope_theta: 5e5, rope_type: 'llama3', ...scaling } }, 'c');
    expect(current).toEqual(old);
    expect(old).toMatchObject({ ropeTheta: 5e5, ropeScaling: { kind: 'llama3', factor: 8, originalMaxPositions: 64 } });
  });

  test.each([
    ['UNSUPPORTED', { architectures: ['GPT2LMHeadModel'] }, /LlamaForCausalLM.*Qwen3ForCausalLM.*GPT2LMHeadModel/],
    ['UNSUPPORTED', { architectures: ['constructor'] }, /constructor/],
    ['UNSUPPORTED', { hidden_act: 'gelu' }, /silu.*gelu/],
    ['UNSUPPORTED', { quantization_config: { bits: 4 } }, /quantization_config/],
    ['UNSUPPORTED', { quantization_config: { modules: Array(1e5).fill('lm_head') } }, /^.{0,300}$/],
    ['UNSUPPORTED', { partial_rotary_factor: 0.5 }, /partial_rotary_factor/],
    ['UNSUPPORTED', { architectures: ['FalconForCausalLM'], hidden_size: 'none' }, /LlamaForCausalLM.*FalconForCausalLM/],
    ['UNSUPPORTED', { architectures: null, model_type: 'mpt', hidden_size: undefined }, /LlamaForCausalLM.*mpt/],
    ['UNSUPPORTED', { hidden_size: undefined, text_config: {} }, /LlamaForCausalLM.*text_config/],
    ['UNSUPPORTED', { head_dim: 12 }, /head_dim.*multiple of 8 up to 256.*12/],
    ['UNSUPPORTED', { head_dim: 512 }, /head_dim.*512/],
    ['UNSUPPORTED', { layer_types: ['full_attention', 'sliding_attention'] }, /layer_types.*sliding_attention/],
    ['UNSUPPORTED', { architectures: ['Qwen3ForCausalLM'], layer_types: ['linear_attention'] }, /layer_types.*linear_attention/],
    ['INVALID_FILE', { architectures: ['MistralForCausalLM'], sliding_window: 0 }, /sliding_window.*0/],
    ['UNSUPPORTED', { rope_scaling: { type: 'longrope', factor: 2 } }, /linear.*longrope/],
    ['INVALID_FILE', { rope_scaling: { type: 'linear' } }, /rope_scaling in config\.json but received undefined for factor/],
    ['INVALID_FILE', { rope_scaling: { type: 'linear', factor: -1 } }, /factor/],
    ['INVALID_FILE', { rope_theta: 0 }, /rope_theta/],
    ['INVALID_FILE', { hidden_size: 66.5 }, /received 66\.5 for hidden_size/],
    ['INVALID_FILE', { hidden_size: 2 ** 40 }, /hidden_size/],
    ['INVALID_FILE', { num_key_value_heads: 3 }, /num_key_value_heads.*3/],
    ['INVALID_FILE', { head_dim: 15 }, /head_dim.*15/],
    ['INVALID_FILE', { rms_norm_eps: 'x' }, /rms_norm_eps/],
    ['INVALID_FILE', { architectures: ['MistralForCausalLM'], num_key_value_heads: undefined }, /num_key_value_heads/],
  ])('%s for %j', (code, change, message) => {
    const error = configError({ ...BASE, ...change });
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  test.each([
    ['dual_chunk_attention_config', { chunk_size: 262144 }, [null, {}]],
    ['alibi', true, [false, null]],
    ['attn_logit_softcapping', 50, [null, 0]],
    ['final_logit_softcapping', 30, [null]],
    ['embedding_multiplier', 12, [1, 1.0, null]],
    ['residual_multiplier', 0.22, [1, null]],
    ['attention_multiplier', 0.0078125, [0.25, 1, null]],
    ['logits_scaling', 8, [1, null]],
    ['logit_scale', 0.0625, [1, null]],
    ['no_rope_layers', [1, 0], [[1, 1], [], null]],
    ['no_rope_layer_interval', 4, [null, 0]],
    ['query_pre_attn_scalar', 144, [16, null]],
    ['use_qk_norm', true, [false]],
    ['clip_qkv', 8, [null]],
    ['parallel_attn', true, [false]],
    ['num_local_experts', 8, [0, null]],
    ['use_bidirectional_attention', true, [false, null]],
    ['position_embedding_type', 'alibi', ['rope', null]],
    ['hidden_activation', 'gelu_pytorch_tanh', ['silu', null]],
    ['mlp_multipliers', [0.5, 1], [[1, 1], null]],
  ] as const)('refuses %s by name, and takes its neutral values', (field, value, neutral) => {
    const error = configError({ ...BASE, [field]: value });
    expect(error).toMatchObject({ code: 'UNSUPPORTED', message: expect.stringContaining(`no ${field}`) });
    const plain = parseModelConfig(BASE, 'config.json');
    for (const other of neutral) expect(parseModelConfig({ ...BASE, [field]: other }, 'config.json')).toEqual(plain);
  });

  test('that is nested without end gives a typed error', () => {
    const deep = JSON.parse(`${'['.repeat(1e5)}${']'.repeat(1e5)}`) as unknown;
    for (const key of ['hidden_size', 'architectures', 'rope_scaling', 'quantization_config', 'alibi']) {
      expect(configError({ ...BASE, [key]: deep })).toBeInstanceOf(MoaError);
    }
  });

  test('any JSON gives a configuration or a typed error', () => {
    const keys = [...Object.keys(BASE), 'rope_scaling', 'rope_parameters', 'rope_theta', 'eos_token_id', 'sliding_window', 'head_dim'];
    const change = fc.dictionary(fc.constantFrom(...keys), fc.jsonValue(), { maxKeys: 3 });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.jsonValue(),
          change.map((c) => ({ ...BASE, ...c })),
        ),
        (json) => {
          try {
            const config = parseModelConfig(json, 'config.json');
            expect(config.heads % config.kvHeads).toBe(0);
          } catch (error) {
            expect(error).toBeInstanceOf(MoaError);
            expect((error as MoaError).message).toContain('config.json');
          }
        },
      ),
    );
  });

  test('every preset is a configuration', () => {
    const sizes = Object.entries(PRESETS).map(([name, json]) => [name, parseModelConfig(json, name).headDim]);
    expect(Object.fromEntries(sizes)).toEqual({ tiny: 16, 'llama-3.2-1b': 64, 'llama-3-8b': 128, 'vicuna-7b': 128, 'vicuna-13b': 128 });
  });
});

describe('readModelConfig', () => {
  test('takes the end tokens of generation_config.json', () => {
    const folder = mkdtempSync(join(tmpdir(), 'moabench-config-'));
    writeFileSync(join(folder, 'config.json'), JSON.stringify(BASE));
    expect(readModelConfig(folder).eosTokens).toEqual([2]);
    writeFileSync(join(folder, 'generation_config.json'), JSON.stringify({ eos_token_id: [5, 6] }));
    expect(readModelConfig(folder).eosTokens).toEqual([5, 6]);
  });

  test('names a missing or broken file', () => {
    const folder = mkdtempSync(join(tmpdir(), 'moabench-config-'));
    expect(() => readModelConfig(folder)).toThrow(
      expect.objectContaining({ code: 'NOT_FOUND', message: expect.stringContaining('config.json') }),
    );
    writeFileSync(join(folder, 'config.json'), '{');
    expect(() => readModelConfig(folder)).toThrow(
      expect.objectContaining({ code: 'INVALID_FILE', message: expect.stringContaining('config.json') }),
    );
  });
});
