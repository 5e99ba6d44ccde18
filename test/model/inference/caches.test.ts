import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { canShareCache, createCache, ModelCache } from '../../../src/model/inference/caches.ts';
import { prefill } from '../../../src/model/inference/forward.ts';
import { generate } from '../../../src/model/inference/generate.ts';
import { loadModel } from '../../../src/model/load.ts';
import { influenceProfile } from '../../../src/model/profile/influence.ts';
import type { KvCache, KvCacheSpec } from '../../../src/native/backend.ts';
import { GOLDENS } from '../golden-model.ts';
import { spanned, whole } from '../layouts.ts';
import { cpuBackend, overlay } from '../test-backends.ts';

const backend = cpuBackend();

describe('createCache', () => {
  test('allocates what each kind implies, per sequence, layer and head', async () => {
    const model = await loadModel({ path: 'dummy:tiny', backend });
    const slotBytes = 2 * model.config.headDim * 4;
    const spans = [128, 192, 256, 320];
    const cache = createCache(model, [spanned(model, spans, { tokens: 400 }), spanned(model, [128, 128, 128, 128], { tokens: 200 })]);
    expect([...cache.kv.residentBytesPerHead()]).toEqual([256, 320, 384, 448].map((slots) => slots * slotBytes));
    expect(cache.kv.spec).toMatchObject({ policy: 'ring', sink: 64 });
    cache.assertResident();
    cache.dispose();
    const dense = createCache(model, [whole(model, 65), whole(model, 64)]);
    expect(dense.kv.residentBytes).toBe(4 * 192 * slotBytes);
    dense.dispose();
    const dynamic = createCache(model, [whole(model, 65, { kind: 'dynamic', dtype: 'bf16' })]);
    await prefill(model, { cache: dynamic, sequence: 0, tokens: new Int32Array(37) });
    expect(dynamic.kv.residentBytes).toBe((4 * 37 * slotBytes) / 2);
    dynamic.assertResident();
    dynamic.dispose();
    model.dispose();
  });

  test.each<readonly [string, (spec: KvCacheSpec) => Partial<KvCacheSpec>, RegExp]>([
    ['the sink of another plan', () => ({ sink: 0 }), /a sink of 64 tokens for sequence 0 but received 0/],
    [
      'one head with another span',
      ({ capacities }) => ({ capacities: capacities.with(6, 256) }),
      /192 slots for sequence 1, layer 1, KV head 0 but received 256/,
    ],
    [
      'two sequences with each other’s spans',
      ({ capacities }) => ({ capacities: capacities.toReversed() }),
      /slots for sequence 0, layer 0/,
    ],
    ['a cache that evicts nothing', () => ({ policy: 'full' }), /the policy ring/],
    ['keys and values in other storage', () => ({ dtype: 'bf16' }), /f32 for the storage/],
  ])('refuses to run in a cache that is not the plan’s: %s', async (_, changed, message) => {
    const wrong = overlay(backend, { kvCache: (spec: KvCacheSpec) => backend.kvCache({ ...spec, ...changed(spec) }) });
    const model = await loadModel({ path: 'dummy:tiny', backend: wrong });
    const layouts = [spanned(model, [128, 192, 128, 192], { tokens: 300 }), spanned(model, [128, 192, 192, 256], { tokens: 300 })];
    const requests = layouts.map((layout) => ({ tokens: new Int32Array(200), layout, maxNewTokens: 1 }));
    const internal = { code: 'INTERNAL', message: expect.stringMatching(message) };
    await expect(generate(model, { requests })).rejects.toMatchObject(internal);
    expect(backend.memory().kvBytes).toBe(0);
    model.dispose();
  });

  test('notices one head that holds other bytes than its span', async () => {
    const model = await loadModel({ path: 'dummy:tiny', backend });
    const layouts = [whole(model, 64)];
    const cache = createCache(model, layouts);
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
    expect(() => new ModelCache(model, layouts, lying).assertResident()).toThrow(/layer 1, KV head 0/);
    cache.dispose();
    model.dispose();
  });

  test('takes sequences of one sink, and says which one needs a cache of its own', async () => {
    const model = await loadModel({ path: 'dummy:tiny', backend });
    const long = spanned(model, [128, 128, 128, 128], { tokens: 300 });
    const short = spanned(model, [64, 64, 64, 64], { tokens: 40, sink: 0 });
    expect(canShareCache(long, { ...long, tokens: 200 })).toBe(true);
    expect(canShareCache(long, short)).toBe(false);
    expect(() => createCache(model, [long, short])).toThrow(/64, as the first sequence has, for layouts\[1\]\.sink but received 0/);
    expect(() => createCache(model, [])).toThrow(/at least one layout/);
    model.dispose();
  });

  test('refuses a sequence beyond a sliding window, and runs one within it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'moabench-window-'));
    const config = JSON.parse(readFileSync(`${GOLDENS}mistral/config.json`, 'utf8')) as object;
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, sliding_window: 100 }));
    const model = await loadModel({ path: `dummy:${folder}`, backend });
    const unsupported = { code: 'UNSUPPORTED', message: expect.stringContaining('100') };
    expect(() => createCache(model, [whole(model, 101)])).toThrow(expect.objectContaining(unsupported));
    await expect(influenceProfile(model, { tokens: new Int32Array(102), answerStart: 90, sink: 64, epsilon: 0.1 })).rejects.toMatchObject(
      unsupported,
    );
    const cache = createCache(model, [whole(model, 100)]);
    expect((await prefill(model, { cache, sequence: 0, tokens: new Int32Array(100) })).every(Number.isFinite)).toBe(true);
    cache.dispose();
    model.dispose();
  });

  test('gives memory errors their type and leaks nothing', async () => {
    const model = await loadModel({ path: 'dummy:tiny', backend });
    backend.setMemoryLimit(model.weightBytes + 2 ** 20);
    try {
      expect(() => createCache(model, [whole(model, 100_000)])).toThrow(expect.objectContaining({ code: 'OUT_OF_MEMORY' }));
      const cache = createCache(model, [whole(model, 64)]);
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
