import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createCache, ModelCache } from '../../src/model/caches.ts';
import { prefill } from '../../src/model/forward.ts';
import { influenceProfile } from '../../src/model/influence.ts';
import { loadModel } from '../../src/model/load.ts';
import type { KvCache } from '../../src/native/backend.ts';
import { GOLDENS } from './golden-model.ts';
import { cpuBackend } from './test-backends.ts';

const backend = cpuBackend();

describe('createCache', () => {
  test('allocates what each kind implies, per sequence, layer and head', async () => {
    const model = await loadModel({ path: 'dummy:tiny', backend });
    const slotBytes = 2 * model.config.headDim * 4;
    const spans = Int32Array.of(128, 192, 256, 320);
    const cache = createCache(model, {
      kind: 'static',
      sequences: [
        { maxTokens: 400, spans },
        { maxTokens: 200, spans: spans.map(() => 128) },
      ],
    });
    expect([...cache.kv.residentBytesPerHead()]).toEqual([256, 320, 384, 448].map((slots) => slots * slotBytes));
    expect(cache.kv.spec.sink).toBe(64);
    cache.assertResident(1408 * slotBytes);
    expect(() => cache.assertResident(1408 * slotBytes - 1)).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
    cache.dispose();
    const dense = createCache(model, { kind: 'dense', sequences: [{ maxTokens: 65 }, { maxTokens: 64 }] });
    expect(dense.kv.residentBytes).toBe(4 * 192 * slotBytes);
    dense.dispose();
    const dynamic = createCache(model, { kind: 'dynamic', sequences: [{ maxTokens: 65 }], dtype: 'bf16' });
    await prefill(model, { cache: dynamic, sequence: 0, tokens: new Int32Array(37) });
    expect(dynamic.kv.residentBytes).toBe((4 * 37 * slotBytes) / 2);
    dynamic.assertResident();
    dynamic.dispose();
    model.dispose();
  });

  test('notices one head that holds other bytes than its span', async () => {
    const model = await loadModel({ path: 'dummy:tiny', backend });
    const cache = createCache(model, { kind: 'dense', sequences: [{ maxTokens: 64 }] });
    const perHead = cache.kv.residentBytesPerHead();
    perHead[2] = (perHead[2] ?? 0) + 64;
    const lying: KvCache = {
      spec: cache.kv.spec,
      residentBytes: cache.kv.residentBytes,
      residentBytesPerHead: () => perHead,
      lengths: () => cache.kv.lengths(),
      reset: () => {},
      dispose: () => {},
    };
    expect(() => new ModelCache(model, 'dense', lying).assertResident()).toThrow(/layer 1, KV head 0/);
    cache.dispose();
    model.dispose();
  });

  test('refuses a sequence beyond a sliding window, and runs one within it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'moabench-window-'));
    const config = JSON.parse(readFileSync(`${GOLDENS}mistral/config.json`, 'utf8')) as object;
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, sliding_window: 100 }));
    const model = await loadModel({ path: `dummy:${folder}`, backend });
    const unsupported = { code: 'UNSUPPORTED', message: expect.stringContaining('100') };
    expect(() => createCache(model, { kind: 'dense', sequences: [{ maxTokens: 101 }] })).toThrow(expect.objectContaining(unsupported));
    await expect(influenceProfile(model, { tokens: new Int32Array(102), answerStart: 90, sink: 64, epsilon: 0.1 })).rejects.toMatchObject(
      unsupported,
    );
    const cache = createCache(model, { kind: 'dense', sequences: [{ maxTokens: 100 }] });
    expect((await prefill(model, { cache, sequence: 0, tokens: new Int32Array(100) })).every(Number.isFinite)).toBe(true);
    cache.dispose();
    model.dispose();
  });

  test('gives memory errors their type and leaks nothing', async () => {
    const model = await loadModel({ path: 'dummy:tiny', backend });
    backend.setMemoryLimit(model.weightBytes + 2 ** 20);
    try {
      expect(() => createCache(model, { kind: 'dense', sequences: [{ maxTokens: 100_000 }] })).toThrow(
        expect.objectContaining({ code: 'OUT_OF_MEMORY' }),
      );
      const cache = createCache(model, { kind: 'dense', sequences: [{ maxTokens: 64 }] });
      const tokens = new Int32Array(4000);
      await expect(prefill(model, { cache, sequence: 0, tokens, chunkTokens: 4000 })).rejects.toMatchObject({ code: 'OUT_OF_MEMORY' });
      expect((await prefill(model, { cache, sequence: 0, tokens: tokens.subarray(0, 64) })).every(Number.isFinite)).toBe(true);
      cache.dispose();
    } finally {
      backend.setMemoryLimit(0);
    }
    model.dispose();
  });
});
