import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { weightElements } from '../../src/model/format/weights/weights.ts';
import { createCache } from '../../src/model/inference/caches.ts';
import { prefill } from '../../src/model/inference/forward.ts';
import { checkModel, loadModel, modelConfig, modelHash } from '../../src/model/load.ts';
import type { Backend, Tensor } from '../../src/native/backend.ts';
import { GOLDENS, REFERENCE, relativeError } from './golden-model.ts';
import { whole } from './layouts.ts';
import { cpuBackend, tfjsBackend } from './test-backends.ts';

const backend = cpuBackend();
const tfjs = tfjsBackend();

async function lastLogits(path: string, weightDType?: 'f32' | 'f16' | 'bf16'): Promise<Float32Array> {
  const model = await loadModel({ path, backend, ...(weightDType && { weightDType }) });
  const cache = createCache(model, [whole(model, 100)]);
  const tokens = Int32Array.from({ length: 100 }, (_, i) => (i * 31) % model.config.vocabSize);
  const logits = await prefill(model, { cache, sequence: 0, tokens });
  cache.dispose();
  model.dispose();
  return logits;
}

/** The safetensors file with further F32 tensors of one element. */
function withExtraTensors(file: Buffer, names: readonly string[]): Buffer {
  const dataStart = 8 + Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString('utf8', 8, dataStart)) as Record<string, unknown>;
  const end = file.length - dataStart;
  for (const [i, name] of names.entries()) header[name] = { dtype: 'F32', shape: [1], data_offsets: [end + 4 * i, end + 4 * (i + 1)] };
  const text = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([prefix, text, file.subarray(dataStart), Buffer.alloc(4 * names.length)]);
}

describe('loadModel', () => {
  test('loads a folder as it is, with progress, and frees everything', async () => {
    const before = backend.memory().weightsBytes;
    const progress: number[] = [];
    const model = await loadModel({ path: REFERENCE, backend, onProgress: (p) => progress.push(p.bytesDone / p.bytesTotal) });
    expect(model).toMatchObject({ name: 'reference', weightsHash: await modelHash(REFERENCE), config: modelConfig(REFERENCE) });
    expect(model.tokenizer.vocabSize).toBe(model.config.vocabSize);
    // bf16 matrices, f32 norms
    expect(model.weightBytes).toBe(2 * weightElements(model.config) + 2 * (2 * 8 + 1) * 256);
    expect(progress.at(-1)).toBe(1);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    model.dispose();
    expect(backend.memory().weightsBytes).toBe(before);
  });

  test('converts to the dtype asked for', async () => {
    const stored = await lastLogits(`${GOLDENS}llama2`);
    expect(relativeError(await lastLogits(`${GOLDENS}llama2`, 'f32'), stored)).toBe(0);
    const halved = relativeError(await lastLogits(`${GOLDENS}llama2`, 'bf16'), stored);
    expect(halved).toBeGreaterThan(0);
    expect(halved).toBeLessThan(0.1);
  });

  test('says what does not fit config.json, and frees what it had', async () => {
    const before = backend.memory().weightsBytes;
    const folder = mkdtempSync(join(tmpdir(), 'moabench-load-'));
    writeFileSync(join(folder, 'model.safetensors'), readFileSync(`${GOLDENS}llama3/model.safetensors`));
    const config = JSON.parse(readFileSync(`${GOLDENS}llama3/config.json`, 'utf8')) as object;
    for (const [change, message] of [
      [{ num_hidden_layers: 3 }, /model\.layers\.2\./],
      [{ num_hidden_layers: 1 }, /tensors of 1 layers.*model\.layers\.1\./],
      [{ intermediate_size: 33 }, /\[33,64\].*gate_proj.*\[32,64\]/],
      [{ attention_bias: true }, /q_proj.bias/],
    ] as const) {
      writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, ...change }));
      await expect(loadModel({ path: folder, backend })).rejects.toMatchObject({
        code: 'INVALID_FILE',
        message: expect.stringMatching(message),
      });
    }
    expect(backend.memory().weightsBytes).toBe(before);
  });

  test('takes a checkpoint with tensors that no model of its kind needs', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'moabench-load-'));
    writeFileSync(join(folder, 'config.json'), readFileSync(`${GOLDENS}llama3/config.json`));
    writeFileSync(
      join(folder, 'model.safetensors'),
      withExtraTensors(readFileSync(`${GOLDENS}llama3/model.safetensors`), [
        'model.layers.1.self_attn.rotary_emb.inv_freq',
        'model.rotary_emb.inv_freq',
      ]),
    );
    const model = await loadModel({ path: folder, backend });
    expect(model.config.layers).toBe(2);
    model.dispose();
  });

  test.each([
    'model.layers.0.self_attn.q_proj.bias',
    'model.layers.1.self_attn.o_proj.bias',
    'model.layers.1.self_attn.k_norm.weight',
    'model.layers.0.mlp.up_proj.bias',
    'model.layers.0.self_attn.k_scale',
    'model.layers.2.rotary_emb.inv_freq',
    'lm_head.bias',
  ])('refuses a checkpoint with %s, which its config.json does not use', async (name) => {
    const folder = mkdtempSync(join(tmpdir(), 'moabench-load-'));
    writeFileSync(join(folder, 'config.json'), readFileSync(`${GOLDENS}llama3/config.json`));
    writeFileSync(join(folder, 'model.safetensors'), withExtraTensors(readFileSync(`${GOLDENS}llama3/model.safetensors`), [name]));
    await expect(loadModel({ path: folder, backend })).rejects.toMatchObject({
      code: 'INVALID_FILE',
      message: expect.stringContaining(name),
    });
  });

  test('takes a tied checkpoint that stores its output matrix too', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'moabench-load-'));
    const config = JSON.parse(readFileSync(`${GOLDENS}llama3/config.json`, 'utf8')) as { tie_word_embeddings: boolean };
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, tie_word_embeddings: true }));
    const stored = readFileSync(`${GOLDENS}llama3/model.safetensors`);
    writeFileSync(join(folder, 'model.safetensors'), config.tie_word_embeddings ? withExtraTensors(stored, ['lm_head.weight']) : stored);
    const model = await loadModel({ path: folder, backend });
    expect(model.weights.lmHead).toBe(model.weights.embedding);
    model.dispose();
  });

  test('names a path that does not exist', async () => {
    await expect(loadModel({ path: '/nowhere', backend })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('/nowhere'),
    });
    await expect(loadModel({ path: 'dummy:nothing', backend })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('tiny'),
    });
  });
});

describe('a model whose prompts will be made', () => {
  const before = backend.memory().weightsBytes;
  const folderWith = (files: Readonly<Record<string, string>>): string => {
    const folder = mkdtempSync(join(tmpdir(), 'moabench-load-'));
    for (const name of ['config.json', 'model.safetensors']) writeFileSync(join(folder, name), readFileSync(`${GOLDENS}llama3/${name}`));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    return folder;
  };
  const tokenizer = { 'tokenizer.json': readFileSync(`${REFERENCE}tokenizer.json`, 'utf8') };

  test.each([
    ['no tokenizer', { 'chat_template.jinja': 'hello' }, 'UNSUPPORTED', /a tokenizer\.json for the model/],
    ['no chat template', tokenizer, 'UNSUPPORTED', /a chat template for the model/],
    ['a broken chat template', { ...tokenizer, 'chat_template.jinja': '{% if %}' }, 'INVALID_FILE', /Jinja/],
    ['a template without the variable', { ...tokenizer, 'chat_template.jinja': 'hello' }, 'INVALID_ARGUMENT', /enable_thinking/],
    ['a broken tokenizer', { 'tokenizer.json': '{}', 'chat_template.jinja': 'hello' }, 'INVALID_FILE', /tokenizer/],
  ] as const)('with %s is refused before its weights load, and without loading', async (what, files, code, message) => {
    const variables = what.includes('variable') ? { enable_thinking: false } : {};
    const options = { text: 'required', template: { variables } } as const;
    const refused = { code, message: expect.stringMatching(message) };
    const path = folderWith(files);
    let progress = 0;
    await expect(loadModel({ path, backend, ...options, onProgress: () => progress++ })).rejects.toMatchObject(refused);
    expect([progress, backend.memory().weightsBytes]).toEqual([0, before]);
    await expect(checkModel(path, options)).rejects.toMatchObject(refused);
    await expect(checkModel(`dummy:${path}`, options)).rejects.toMatchObject(refused);
  });

  test('is checked without loading: weights that do not fit, or a head dim that no kernel takes', async () => {
    const path = folderWith({ ...tokenizer, 'chat_template.jinja': '{{ bos_token }}' });
    expect((await checkModel(path, { text: 'required' })).config).toEqual(modelConfig(path));
    const config = JSON.parse(readFileSync(join(path, 'config.json'), 'utf8')) as object;
    writeFileSync(join(path, 'config.json'), JSON.stringify({ ...config, attention_bias: true }));
    await expect(checkModel(path)).rejects.toMatchObject({ code: 'INVALID_FILE', message: expect.stringContaining('q_proj.bias') });
    writeFileSync(join(path, 'config.json'), JSON.stringify({ ...config, head_dim: 12 }));
    await expect(checkModel(path)).rejects.toMatchObject({ code: 'UNSUPPORTED', message: expect.stringContaining('head_dim') });
  });

  test('tells what decides the text of its conversations', async () => {
    const path = folderWith({ ...tokenizer, 'chat_template.jinja': "{{ strftime_now('%Y') }}{{ mode }}" });
    const template = { date: '2026-11-28', variables: { mode: 'short' } };
    const model = await loadModel({ path, backend, template });
    expect(model.template).toMatchObject({ usesDate: true, ...template });
    model.dispose();
  });
});

describe('dummy models', () => {
  test('are the same every time, sane, and different by shape', async () => {
    const first = await lastLogits('dummy:tiny');
    expect(await lastLogits('dummy:tiny')).toEqual(first);
    const spread = Math.sqrt(first.reduce((sum, x) => sum + x * x, 0) / first.length);
    expect(spread).toBeGreaterThan(0.3);
    expect(spread).toBeLessThan(3);
    expect(await modelHash('dummy:tiny')).not.toBe(await modelHash('dummy:vicuna-7b'));
  });

  test('have the same weights on every backend, of the variance that keeps activations at order 1', async () => {
    const read = async (on: Backend): Promise<readonly Float32Array[]> => {
      const model = await loadModel({ path: `dummy:${GOLDENS}qwen2`, backend: on, weightDType: 'f32' });
      const values = (await Promise.all(model.weights.owned.map((tensor) => tensor.read()))) as Float32Array[];
      model.dispose();
      return values;
    };
    const values = await read(backend);
    expect(await read(tfjs())).toEqual(values);
    const model = await loadModel({ path: `dummy:${GOLDENS}qwen2`, backend, weightDType: 'f32' });
    const layer = model.weights.layers[0] as (typeof model.weights.layers)[number];
    const { hiddenSize: C, heads, headDim, layers } = model.config;
    const variance = async (tensor: Tensor) =>
      Float64Array.from(await tensor.read()).reduce((sum, x) => sum + x * x, 0) / tensor.shape.reduce((a, b) => a * b);
    expect((await variance(layer.qkv)) * C).toBeCloseTo(1, 1);
    expect((await variance(layer.output)) * heads * headDim * 2 * layers).toBeCloseTo(1, 1);
    expect(new Set(await layer.postNorm.read())).toEqual(new Set([1]));
    expect(new Set(await (layer.qkvBias as Tensor).read())).toEqual(new Set([0]));
    // q and k are tensors of their own, not one run of numbers.
    const [q, k] = [await layer.qkv.rows(0, 16).read(), await layer.qkv.rows(heads * headDim, 16).read()];
    expect(q).not.toEqual(k);
    model.dispose();
  });

  test.each(['f32', 'f16', 'bf16'] as const)('have the same weights up to rounding in %s', async (dtype) => {
    expect(relativeError(await lastLogits('dummy:tiny', dtype), await lastLogits('dummy:tiny', 'f32'))).toBeLessThan(0.1);
  });

  test('take the shape, biases and head norms of any config.json, and no weights', async () => {
    for (const name of ['qwen2', 'qwen3', 'mistral']) {
      const logits = await lastLogits(`dummy:${GOLDENS}${name}`);
      expect(logits.every(Number.isFinite)).toBe(true);
      expect(await lastLogits(`dummy:${GOLDENS}${name}/config.json`)).toEqual(logits);
    }
  });

  test('have the tokenizer of their folder or say that there is none', async () => {
    const tiny = await loadModel({ path: 'dummy:tiny', backend });
    expect(() => tiny.tokenizer).toThrow(expect.objectContaining({ code: 'UNSUPPORTED', message: expect.stringContaining('dummy:tiny') }));
    const reference = await loadModel({ path: `dummy:${REFERENCE}`, backend });
    expect(reference.tokenizer.encode('a b')).toHaveLength(2);
    tiny.dispose();
    reference.dispose();
  });
});
