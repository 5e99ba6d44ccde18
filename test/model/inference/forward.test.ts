import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { sha256File } from '../../../src/core/hash.ts';
import { createCache } from '../../../src/model/inference/caches.ts';
import { prefill } from '../../../src/model/inference/forward.ts';
import { loadModel } from '../../../src/model/load.ts';
import type { Backend } from '../../../src/native/backend.ts';
import { GOLDENS, goldenModel, REFERENCE, readArray, readGolden, relativeError } from '../golden-model.ts';
import { whole } from '../layouts.ts';
import { cpuBackend, tfjsBackend } from '../test-backends.ts';

const MODELS = ['llama2', 'llama3', 'mistral', 'qwen2', 'qwen3', 'llama-linear', 'llama-dynamic', 'llama-yarn'];
/** The bound; float32 against float64 is about 2e-6. */
const TOLERANCE = 1e-4;
const cpu = cpuBackend();
const tfjs = tfjsBackend();

async function goldenErrors(name: string, backend: Backend, chunkTokens: number): Promise<readonly number[]> {
  const golden = readGolden(name);
  const model = await loadModel({ path: goldenModel(name), backend, activationDType: 'f32' });
  const cache = createCache(model, [whole(model, golden.tokens.length)]);
  try {
    const logits = await prefill(model, { cache, sequence: 0, tokens: golden.tokens, rows: Int32Array.from(golden.rows), chunkTokens });
    const file = `${GOLDENS}${name}/golden.safetensors`;
    return [relativeError(logits, await readArray(file, 'logits32')), relativeError(logits, await readArray(file, 'logits64'))];
  } finally {
    cache.dispose();
    model.dispose();
  }
}

describe("logits equal Hugging Face's in float32 and float64", () => {
  test.each(MODELS)('%s on cpu, whole and in chunks', async (name) => {
    for (const chunkTokens of [2048, 33]) {
      for (const error of await goldenErrors(name, cpu, chunkTokens)) expect(error).toBeLessThan(TOLERANCE);
    }
  });

  test('qwen3 on the tfjs reference, an independent implementation of every op', async () => {
    for (const error of await goldenErrors('qwen3', tfjs(), 2048)) expect(error).toBeLessThan(TOLERANCE);
  });

  test('of the reference model on cpu', async () => {
    const golden = JSON.parse(readFileSync(`${GOLDENS}reference.json`, 'utf8')) as {
      weightsSha256: string;
      tokens: number[];
      rows: number[];
    };
    expect(await sha256File(`${REFERENCE}model.safetensors`), 'run scripts/golden/make_reference_goldens.py').toBe(golden.weightsSha256);
    const model = await loadModel({ path: REFERENCE, backend: cpu });
    const cache = createCache(model, [whole(model, golden.tokens.length)]);
    const logits = await prefill(model, {
      cache,
      sequence: 0,
      tokens: Int32Array.from(golden.tokens),
      rows: Int32Array.from(golden.rows),
      chunkTokens: 512,
    });
    for (const dtype of ['logits32', 'logits64']) {
      expect(relativeError(logits, await readArray(`${GOLDENS}reference.safetensors`, dtype))).toBeLessThan(TOLERANCE);
    }
    cache.dispose();
    model.dispose();
  });
});

describe('prefill', () => {
  test('goes on where the sequence ends, and frees what it used', async () => {
    const golden = readGolden('llama3');
    const model = await loadModel({ path: goldenModel('llama3'), backend: cpu });
    const cache = createCache(model, [whole(model, 80, { kind: 'dynamic' })]);
    await prefill(model, { cache, sequence: 0, tokens: golden.tokens.subarray(0, 37) });
    model.releaseWorkspace();
    const before = cpu.memory().workspaceBytes;
    const logits = await prefill(model, { cache, sequence: 0, tokens: golden.tokens.subarray(37) });
    expect(cache.length(0)).toBe(80);
    expect([...(await cache.kv.lengths())]).toEqual([80]);
    cache.assertResident();
    const last = (await readArray(`${GOLDENS}llama3/golden.safetensors`, 'logits64')).slice(-model.config.vocabSize);
    expect(relativeError(logits, last)).toBeLessThan(TOLERANCE);
    cache.dispose();
    model.releaseWorkspace();
    await cpu.synchronize();
    expect(cpu.memory().workspaceBytes).toBe(before);
    model.dispose();
  });

  test('rejects what it cannot run, by name', async () => {
    const model = await loadModel({ path: 'dummy:tiny', backend: cpu });
    const cache = createCache(model, [whole(model, 64)]);
    const run = (options: object) => prefill(model, { cache, sequence: 0, tokens: Int32Array.of(1, 2, 3), ...options });
    for (const [options, name] of [
      [{ tokens: new Int32Array(0) }, 'tokens'],
      [{ tokens: Int32Array.of(1, 256) }, 'tokens'],
      [{ tokens: Int32Array.of(-1) }, 'tokens'],
      [{ rows: Int32Array.of(3) }, 'rows'],
      [{ rows: Int32Array.of(2, 1) }, 'rows'],
      [{ rows: new Int32Array(0) }, 'rows'],
      [{ chunkTokens: 0 }, 'chunkTokens'],
      [{ sequence: 1 }, 'sequence'],
    ] as const) {
      await expect(run(options)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(name) });
    }
    await expect(run({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' });
    expect(cache.length(0)).toBe(0);
    cache.dispose();
    model.dispose();
  });
});
