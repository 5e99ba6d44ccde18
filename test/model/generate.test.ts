import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createCache } from '../../src/model/caches.ts';
import { prefill } from '../../src/model/forward.ts';
import { generate } from '../../src/model/generate.ts';
import type { LanguageModel } from '../../src/model/language-model.ts';
import { loadModel } from '../../src/model/load.ts';
import { GOLDENS, REFERENCE, readGolden } from './golden-model.ts';
import { cpuBackend } from './test-backends.ts';

const MODELS = ['llama2', 'llama3', 'mistral', 'qwen2', 'qwen3', 'llama-linear', 'llama-dynamic', 'llama-yarn'];
const backend = cpuBackend();

async function withModel(path: string, use: (model: LanguageModel) => Promise<void>): Promise<void> {
  const model = await loadModel({ path, backend });
  try {
    await use(model);
  } finally {
    model.dispose();
  }
}

/** Greedy continuation by one prefill per token: no decode path, no cache carried over. */
async function continuationByPrefill(
  model: LanguageModel,
  tokens: Int32Array,
  options: { readonly spans?: Int32Array; readonly count: number },
): Promise<number[]> {
  const all = [...tokens];
  for (let i = 0; i < options.count; i++) {
    const kind = options.spans === undefined ? 'dense' : 'static';
    const cache = createCache(model, {
      kind,
      sequences: [{ maxTokens: tokens.length + options.count, ...(options.spans && { spans: options.spans }) }],
    });
    const logits = await prefill(model, { cache, sequence: 0, tokens: Int32Array.from(all) });
    all.push(logits.indexOf(logits.reduce((a, b) => Math.max(a, b))));
    cache.dispose();
  }
  return all.slice(tokens.length);
}

describe("greedy continuations equal Hugging Face's", () => {
  test.each(MODELS)('%s, in the dense and the dynamic cache', async (name) => {
    const { tokens, continuation } = readGolden(name);
    await withModel(`${GOLDENS}${name}`, async (model) => {
      for (const cacheKind of ['dense', 'dynamic'] as const) {
        const { outputs } = await generate(model, {
          requests: [{ tokens, maxNewTokens: continuation.length }],
          cacheKind,
          stopTokens: [],
          chunkTokens: 32,
        });
        expect(outputs).toEqual([{ tokens: Int32Array.from(continuation), finish: 'length' }]);
      }
    });
  });

  test('of the reference model, up to its end token', async () => {
    const golden = JSON.parse(readFileSync(`${GOLDENS}reference.json`, 'utf8')) as {
      tokens: number[];
      continuation: number[];
      continuationText: string;
    };
    await withModel(REFERENCE, async (model) => {
      const { outputs } = await generate(model, {
        requests: [{ tokens: Int32Array.from(golden.tokens), maxNewTokens: 32 }],
        cacheKind: 'dense',
      });
      expect(outputs).toEqual([{ tokens: Int32Array.from(golden.continuation), finish: 'stop' }]);
      expect(model.tokenizer.decode(outputs[0]?.tokens ?? [])).toBe(golden.continuationText);
    });
  });
});

describe('generate', () => {
  test('gives each sequence of a ragged batch what it gets alone, and drops finished ones', async () => {
    const { tokens } = readGolden('llama3');
    await withModel(`${GOLDENS}llama3`, async (model) => {
      const requests = [
        { tokens: tokens.subarray(0, 80), maxNewTokens: 20 },
        { tokens: tokens.subarray(5, 6), maxNewTokens: 1 },
        { tokens: tokens.subarray(0, 31), maxNewTokens: 7 },
        { tokens: tokens.subarray(3, 68), maxNewTokens: 33 },
      ];
      for (const cacheKind of ['dense', 'dynamic'] as const) {
        const seen = new Map<number, number[]>();
        const onToken = (request: number, token: number) => seen.set(request, [...(seen.get(request) ?? []), token]);
        const batch = await generate(model, { requests, cacheKind, stopTokens: [], onToken });
        for (const [i, request] of requests.entries()) {
          const alone = await generate(model, { requests: [request], cacheKind, stopTokens: [] });
          expect(batch.outputs[i]).toEqual(alone.outputs[0]);
          expect(seen.get(i)).toEqual([...(alone.outputs[0]?.tokens ?? [])]);
        }
      }
    });
  });

  test('stops at the stop token, which it keeps, whatever was enqueued ahead', async () => {
    const { tokens, continuation } = readGolden('qwen2');
    await withModel(`${GOLDENS}qwen2`, async (model) => {
      for (const stop of new Set(continuation)) {
        const { outputs } = await generate(model, {
          requests: [{ tokens, maxNewTokens: continuation.length }],
          cacheKind: 'dense',
          stopTokens: [stop],
        });
        expect(outputs).toEqual([{ tokens: Int32Array.from(continuation.slice(0, continuation.indexOf(stop) + 1)), finish: 'stop' }]);
      }
    });
  });

  test('with a static cache decodes exactly under the mask of its prefill', async () => {
    const tokens = Int32Array.from({ length: 300 }, (_, i) => 3 + ((i * 37) % 120));
    await withModel(`${GOLDENS}influence`, async (model) => {
      const spans = Int32Array.of(128, 192, 320, 128); // [2 layers x 2 KV heads], some dropping tokens, one dense
      const { outputs, kvBytes } = await generate(model, {
        requests: [{ tokens, spans, maxNewTokens: 12 }],
        cacheKind: 'static',
        stopTokens: [],
        chunkTokens: 100,
      });
      expect([...(outputs[0]?.tokens ?? [])]).toEqual(await continuationByPrefill(model, tokens, { spans, count: 12 }));
      expect([...(outputs[0]?.tokens ?? [])]).not.toEqual(await continuationByPrefill(model, tokens, { count: 12 }));
      expect([...kvBytes.perHead]).toEqual([128, 192, 320, 128].map((slots) => slots * 2 * 16 * 4));
      expect(kvBytes.resident).toBe(768 * 2 * 16 * 4);
    });
  });

  test('with spans that hold everything equals dense, also under 64 tokens', async () => {
    const { tokens } = readGolden('llama3');
    await withModel(`${GOLDENS}llama3`, async (model) => {
      for (const [length, span] of [
        [80, 128],
        [40, 64],
      ] as const) {
        const request = { tokens: tokens.subarray(0, length), maxNewTokens: 20 };
        const dense = await generate(model, { requests: [request], cacheKind: 'dense', stopTokens: [] });
        const spans = new Int32Array(4).fill(span);
        const full = await generate(model, {
          requests: [{ ...request, spans }],
          cacheKind: 'static',
          stopTokens: [],
          expectedKvBytes: 4 * span * 2 * 16 * 4,
        });
        expect(full.outputs).toEqual(dense.outputs);
        expect(full.kvBytes).toEqual(dense.kvBytes);
      }
    });
  });

  test.each(['bf16', 'f16'] as const)('stores %s keys and values in half the bytes', async (kvDType) => {
    const { tokens, continuation } = readGolden('llama2');
    await withModel(`${GOLDENS}llama2`, async (model) => {
      const { outputs, kvBytes } = await generate(model, {
        requests: [{ tokens, maxNewTokens: 4 }],
        cacheKind: 'dense',
        kvDType,
        stopTokens: [],
      });
      expect(kvBytes.resident).toBe(2 * 4 * 128 * 2 * 16 * 2);
      expect(outputs[0]?.tokens[0]).toBe(continuation[0]);
    });
  });

  test('fails when the residence is not the plan’s', async () => {
    await withModel('dummy:tiny', async (model) => {
      const request = { tokens: Int32Array.of(1, 2), maxNewTokens: 2 };
      const run = generate(model, { requests: [request], cacheKind: 'dense', expectedKvBytes: 1 });
      await expect(run).rejects.toMatchObject({ code: 'INTERNAL', message: expect.stringContaining('plan') });
      expect(backend.memory().kvBytes).toBe(0);
    });
  });

  test('ends with ABORTED when asked to, in prefill and in decode, and frees its memory', async () => {
    await withModel('dummy:tiny', async (model) => {
      const request = { tokens: new Int32Array(500).fill(7), maxNewTokens: 2000 };
      const controller = new AbortController();
      let count = 0;
      const onToken = () => {
        count++;
        if (count === 10) controller.abort();
      };
      const run = generate(model, { requests: [request], cacheKind: 'dense', stopTokens: [], signal: controller.signal, onToken });
      await expect(run).rejects.toMatchObject({ code: 'ABORTED' });
      expect(count).toBe(10);
      const early = new AbortController();
      const prefilling = generate(model, { requests: [request], cacheKind: 'dense', chunkTokens: 50, signal: early.signal });
      early.abort();
      await expect(prefilling).rejects.toMatchObject({ code: 'ABORTED' });
      await backend.synchronize();
      expect(backend.memory().kvBytes).toBe(0);
    });
  });

  test('names bad requests', async () => {
    await withModel('dummy:tiny', async (model) => {
      const good = { tokens: Int32Array.of(1, 2), maxNewTokens: 2 };
      const spans = new Int32Array(4).fill(128);
      for (const [requests, cacheKind, name] of [
        [[], 'dense', 'requests'],
        [[{ ...good, maxNewTokens: 0 }], 'dense', 'maxNewTokens'],
        [[good, { ...good, tokens: new Int32Array(0) }], 'dense', 'requests[1].tokens'],
        [[good], 'static', 'spans'],
        [[{ ...good, spans }], 'dense', 'spans'],
        [[{ ...good, spans: spans.subarray(1) }], 'static', 'spans'],
        [[{ tokens: new Int32Array(100), maxNewTokens: 5, spans: new Int32Array(4).fill(64) }], 'static', 'spans'],
        [[{ tokens: new Int32Array(100), maxNewTokens: 5, spans: new Int32Array(4).fill(130) }], 'static', 'spans'],
      ] as const) {
        await expect(generate(model, { requests, cacheKind })).rejects.toMatchObject({
          code: 'INVALID_ARGUMENT',
          message: expect.stringContaining(name),
        });
      }
    });
  });
});
