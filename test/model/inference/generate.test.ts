import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createCache } from '../../../src/model/inference/caches.ts';
import { prefill } from '../../../src/model/inference/forward.ts';
import { generate } from '../../../src/model/inference/generate.ts';
import type { LanguageModel } from '../../../src/model/inference/language-model.ts';
import { loadModel } from '../../../src/model/load.ts';
import type { CacheLayout } from '../../../src/plan/cache-layout.ts';
import { GOLDENS, goldenModel, REFERENCE, readGolden } from '../golden-model.ts';
import { spanned, whole } from '../layouts.ts';
import { cpuBackend } from '../test-backends.ts';

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

/** A request whose sequence keeps everything. */
function requestOf(model: LanguageModel, tokens: Int32Array, maxNewTokens: number, storage: Parameters<typeof whole>[2] = {}) {
  return { tokens, maxNewTokens, layout: whole(model, tokens.length + maxNewTokens, storage) };
}

/** Greedy continuation by one prefill per token: no decode path, no cache carried over. */
async function continuationByPrefill(
  model: LanguageModel,
  tokens: Int32Array,
  options: { readonly layout: CacheLayout; readonly count: number },
): Promise<number[]> {
  const all = [...tokens];
  for (let i = 0; i < options.count; i++) {
    const cache = createCache(model, [options.layout]);
    const logits = await prefill(model, { cache, sequence: 0, tokens: Int32Array.from(all) });
    all.push(logits.indexOf(logits.reduce((a, b) => Math.max(a, b))));
    cache.dispose();
  }
  return all.slice(tokens.length);
}

describe("greedy continuations equal Hugging Face's", () => {
  test.each(MODELS)('%s, in the dense and the dynamic cache', async (name) => {
    const { tokens, continuation } = readGolden(name);
    await withModel(goldenModel(name), async (model) => {
      for (const kind of ['full', 'dynamic'] as const) {
        const { outputs } = await generate(model, {
          requests: [requestOf(model, tokens, continuation.length, { kind })],
          stopTokens: [],
          chunkTokens: 32,
        });
        expect(outputs).toMatchObject([{ tokens: Int32Array.from(continuation), finish: 'length' }]);
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
      const { outputs } = await generate(model, { requests: [requestOf(model, Int32Array.from(golden.tokens), 32)] });
      expect(outputs).toMatchObject([{ tokens: Int32Array.from(golden.continuation), finish: 'stop' }]);
      expect(model.tokenizer.decode(outputs[0]?.tokens ?? [])).toBe(golden.continuationText);
    });
  });
});

describe('generate', () => {
  test('gives each sequence of a ragged batch what it gets alone, and drops finished ones', async () => {
    const { tokens } = readGolden('llama3');
    await withModel(goldenModel('llama3'), async (model) => {
      for (const kind of ['full', 'dynamic', 'ring'] as const) {
        const requests = (
          [
            [tokens.subarray(0, 80), 20],
            [tokens.subarray(5, 6), 1],
            [tokens.subarray(0, 31), 7],
            [tokens.subarray(3, 68), 33],
          ] as const
        ).map(([prompt, count], i) => {
          if (kind !== 'ring') return requestOf(model, prompt, count, { kind });
          const layout = spanned(model, [64, 128, 64, 64 + 64 * i], { tokens: prompt.length + count, sink: 0 });
          return { tokens: prompt, maxNewTokens: count, layout };
        });
        const seen = new Map<number, number[]>();
        const onToken = (request: number, token: number) => seen.set(request, [...(seen.get(request) ?? []), token]);
        const batch = await generate(model, { requests, stopTokens: [], onToken });
        for (const [i, request] of requests.entries()) {
          const alone = await generate(model, { requests: [request], stopTokens: [] });
          expect(batch.outputs[i]).toEqual(alone.outputs[0]);
          expect(seen.get(i)).toEqual([...(alone.outputs[0]?.tokens ?? [])]);
        }
      }
    });
  });

  test('stops at the stop token, which it keeps, whatever was enqueued ahead', async () => {
    const { tokens, continuation } = readGolden('qwen2');
    await withModel(goldenModel('qwen2'), async (model) => {
      for (const stop of new Set(continuation)) {
        const { outputs } = await generate(model, {
          requests: [requestOf(model, tokens, continuation.length)],
          stopTokens: [stop],
        });
        expect(outputs).toMatchObject([{ tokens: Int32Array.from(continuation.slice(0, continuation.indexOf(stop) + 1)), finish: 'stop' }]);
      }
    });
  });

  test('with a static cache decodes exactly under the mask of its prefill', async () => {
    const tokens = Int32Array.from({ length: 300 }, (_, i) => 3 + ((i * 37) % 120));
    await withModel(goldenModel('influence'), async (model) => {
      // [2 layers x 2 KV heads], some dropping tokens, one dense
      const layout = spanned(model, [128, 192, 320, 128], { tokens: tokens.length + 12 });
      const { outputs, kvBytes } = await generate(model, {
        requests: [{ tokens, layout, maxNewTokens: 12 }],
        stopTokens: [],
        chunkTokens: 100,
      });
      expect([...(outputs[0]?.tokens ?? [])]).toEqual(await continuationByPrefill(model, tokens, { layout, count: 12 }));
      expect([...(outputs[0]?.tokens ?? [])]).not.toEqual(
        await continuationByPrefill(model, tokens, { layout: whole(model, tokens.length + 12), count: 12 }),
      );
      expect([...kvBytes.perHead]).toEqual([128, 192, 320, 128].map((slots) => slots * 2 * 16 * 4));
      expect(kvBytes.resident).toBe(768 * 2 * 16 * 4);
      expect(outputs[0]?.kvBytes).toBe(layout.bytes);
    });
  });

  test('with spans that hold everything equals dense, also under 64 tokens', async () => {
    const { tokens } = readGolden('llama3');
    await withModel(goldenModel('llama3'), async (model) => {
      for (const [length, span] of [
        [80, 128],
        [40, 64],
      ] as const) {
        const request = requestOf(model, tokens.subarray(0, length), 20);
        const dense = await generate(model, { requests: [request], stopTokens: [] });
        const layout = spanned(model, new Array<number>(4).fill(span), { tokens: length + 20, sink: span - 64 });
        const full = await generate(model, { requests: [{ ...request, layout }], stopTokens: [] });
        expect(full.outputs).toEqual(dense.outputs);
        expect(full.kvBytes).toEqual(dense.kvBytes);
      }
    });
  });

  test.each(['bf16', 'f16'] as const)('stores %s keys and values in half the bytes', async (kvDType) => {
    const { tokens, continuation } = readGolden('llama2');
    await withModel(goldenModel('llama2'), async (model) => {
      const { outputs, kvBytes } = await generate(model, {
        requests: [requestOf(model, tokens, 4, { dtype: kvDType })],
        stopTokens: [],
      });
      expect(kvBytes.resident).toBe(2 * 4 * 128 * 2 * 16 * 2);
      expect(outputs[0]?.tokens[0]).toBe(continuation[0]);
    });
  });

  test('ends with ABORTED when asked to, in prefill and in decode, and frees its memory', async () => {
    await withModel('dummy:tiny', async (model) => {
      const request = requestOf(model, new Int32Array(500).fill(7), 2000);
      const controller = new AbortController();
      let count = 0;
      const onToken = () => {
        count++;
        if (count === 10) controller.abort();
      };
      const run = generate(model, { requests: [request], stopTokens: [], signal: controller.signal, onToken });
      await expect(run).rejects.toMatchObject({ code: 'ABORTED' });
      expect(count).toBe(10);
      const early = new AbortController();
      const prefilling = generate(model, { requests: [request], chunkTokens: 50, signal: early.signal });
      early.abort();
      await expect(prefilling).rejects.toMatchObject({ code: 'ABORTED' });
      await backend.synchronize();
      expect(backend.memory().kvBytes).toBe(0);
    });
  });

  test('refuses a request that the cache or the model cannot take by the name of its field', async () => {
    await withModel('dummy:tiny', async (model) => {
      const good = requestOf(model, Int32Array.of(1, 2), 2);
      const sized = (spans: readonly number[]) => ({
        tokens: new Int32Array(100),
        maxNewTokens: 5,
        layout: spanned(model, spans, { tokens: 105 }),
      });
      for (const [requests, name] of [
        [[], 'requests'],
        [[{ ...good, maxNewTokens: 0 }], 'maxNewTokens'],
        [[good, { ...good, tokens: new Int32Array(0) }], 'requests[1].tokens'],
        [[{ ...good, maxNewTokens: 3 }], 'requests[0].layout.tokens'],
        [[{ ...good, layout: { ...good.layout, headDim: 32 } }], 'headDim'],
        [[{ ...good, layout: { ...good.layout, sink: 64 } }], 'sink'],
        [[sized([128, 128, 128])], 'spans'],
        [[sized([128, 128, 128, 64])], 'spans'],
        [[sized([128, 128, 128, 130])], 'spans'],
      ] as const) {
        await expect(generate(model, { requests })).rejects.toMatchObject({
          code: 'INVALID_ARGUMENT',
          message: expect.stringContaining(name),
        });
      }
    });
  });
});
