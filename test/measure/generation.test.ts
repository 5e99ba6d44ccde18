import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type GenerationArm, type GenerationTimingOptions, timeGeneration } from '../../src/measure/generation.ts';
import type { LanguageModel } from '../../src/model/inference/language-model.ts';
import { loadModel } from '../../src/model/load.ts';
import type { Backend, KvCacheSpec } from '../../src/native/backend.ts';
import { createBackend } from '../../src/native/backends.ts';
import { wholeLayout } from '../../src/plan/cache-layout.ts';

let backend: Backend;
let model: LanguageModel;
beforeAll(async () => {
  backend = await createBackend({ name: 'cpu', threads: 1 });
  model = await loadModel({ path: 'dummy:tiny', backend });
});
afterAll(async () => {
  model.dispose();
  await backend.dispose();
});

const CONTEXT = 512;
const layout = (kind: 'full' | 'dynamic' = 'full') => wholeLayout(model.config, { tokens: CONTEXT, dtype: 'f32', kind });
const half = () => ({
  ...layout(),
  kind: 'ring' as const,
  spans: new Int32Array(layout().spans.length).fill(256),
  bytes: layout().bytes / 2,
});
const decode = (batch = 1, more: Partial<GenerationTimingOptions> = {}): GenerationTimingOptions => ({
  what: { phase: 'decode', batch, newTokens: 8, segmentMs: 0 },
  chunkTokens: 128,
  graph: 'on',
  rounds: 3,
  seed: 's',
  ...more,
});
const arms = (): GenerationArm[] => [
  { id: 'dense', layout: layout() },
  { id: 'half', layout: half() },
  { id: 'growing', layout: layout('dynamic') },
];

/** The backend as it is, with the lengths of its caches written down whenever one is emptied. */
function recorded() {
  const lengths: Promise<Int32Array>[] = [];
  const kvCache = (spec: KvCacheSpec) => {
    const cache = backend.kvCache(spec);
    const reset = cache.reset.bind(cache);
    Object.defineProperty(cache, 'reset', {
      value: (sequence: number) => {
        lengths.push(cache.lengths());
        reset(sequence);
      },
    });
    return cache;
  };
  const watched = new Proxy(backend, {
    get: (target, key) => {
      const value: unknown = key === 'kvCache' ? kvCache : Reflect.get(target, key);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { lengths, backend: watched };
}

describe('decode', () => {
  test('every contender has its own memory, whatever the others hold', async () => {
    const outcomes = await timeGeneration(model, arms(), decode(2));
    const { dense, half: less, growing } = Object.fromEntries(outcomes) as Record<string, { residentBytes: number; peakBytes: number }>;
    expect(dense).toMatchObject({
      status: 'timed',
      residentBytes: 2 * layout().bytes,
      samplesMs: [expect.any(Number), expect.any(Number), expect.any(Number)],
    });
    expect(less).toMatchObject({ status: 'timed', residentBytes: layout().bytes, passes: [1, 1, 1] });
    expect(growing).toMatchObject({ status: 'timed', residentBytes: 2 * layout().bytes });
    expect((dense?.peakBytes ?? 0) - (less?.peakBytes ?? 0)).toBe(layout().bytes); // all but the caches is the same
    await backend.synchronize();
    expect(backend.memory()).toMatchObject({ kvBytes: 0 });
  });

  test('passes end at the stated context, and fill a segment', async () => {
    const { lengths, backend: watched } = recorded();
    const other = await loadModel({ path: 'dummy:tiny', backend: watched });
    const outcomes = await timeGeneration(
      other,
      [{ id: 'dense', layout: layout() }],
      decode(1, { what: { phase: 'decode', batch: 1, newTokens: 8, segmentMs: 20 }, rounds: 2 }),
    );
    const timed = outcomes.get('dense');
    if (timed?.status !== 'timed')
      throw new Error(`expected a timing: ${String(timed?.status === 'failed' ? timed.error : timed?.status)}`);
    timed.samplesMs.forEach((ms, i) => {
      const passes = timed.passes[i] ?? 0;
      expect(ms * passes).toBeGreaterThanOrEqual(20);
      expect(ms * (passes - 1)).toBeLessThan(ms * passes);
    });
    // Each timing has its two steps of warm-up before the first reset, and a whole pass before every later one.
    const seen = (await Promise.all(lengths)).map(([length]) => length);
    expect(new Set(seen)).toEqual(new Set([CONTEXT - 8 + 2, CONTEXT]));
    other.dispose();
  });

  test('out of memory is the result of the one that ran out: the others keep their pairs', async () => {
    const { peakBytes } = (await timeGeneration(model, [{ id: 'half', layout: half() }], decode(4))).get('half') as { peakBytes: number };
    backend.setMemoryLimit(peakBytes + layout().bytes); // room for the halves of four sequences, not for whole ones
    try {
      const outcomes = await timeGeneration(model, [...arms(), { id: 'half again', layout: half() }], decode(4));
      for (const id of ['dense', 'growing']) {
        expect(outcomes.get(id)).toEqual({ status: 'unfit', reason: expect.stringMatching(/memory|bytes/i) });
      }
      for (const id of ['half', 'half again']) expect(outcomes.get(id)).toMatchObject({ status: 'timed', passes: [1, 1, 1] });
      await backend.synchronize();
      expect(backend.memory()).toMatchObject({ kvBytes: 0 });
    } finally {
      backend.setMemoryLimit(0);
    }
  });

  test('another failure is told as what it is, and ends no other contender', async () => {
    const broken = {
      ...layout(),
      dtype: 'f16' as const,
      kind: 'ring' as const,
      sink: 128,
      spans: new Int32Array(layout().spans.length).fill(64),
    };
    const outcomes = await timeGeneration(model, [{ id: 'broken', layout: broken }, ...arms()], decode());
    expect(outcomes.get('broken')).toMatchObject({ status: 'failed', error: { code: 'INVALID_ARGUMENT' } });
    expect(outcomes.get('dense')).toMatchObject({ status: 'timed' });
  });

  test('an abort ends all rounds, and what was enqueued', async () => {
    const controller = new AbortController();
    const run = timeGeneration(
      model,
      arms(),
      decode(1, { rounds: 1000, signal: controller.signal, onProgress: ({ done }) => done > 1 && controller.abort() }),
    );
    await expect(run).rejects.toThrow();
    await backend.synchronize();
    expect(backend.memory()).toMatchObject({ kvBytes: 0 });
  });
});

describe('prefill', () => {
  const prompt = new Int32Array(CONTEXT - 1).fill(7);
  const prefill = (rounds: number): GenerationTimingOptions => ({ ...decode(), what: { phase: 'prefill', prompt }, rounds });

  test('times whole prompts through generate, one pass each', async () => {
    const outcomes = await timeGeneration(model, arms().slice(0, 2), prefill(2));
    expect(outcomes.get('dense')).toMatchObject({ status: 'timed', passes: [1, 1], residentBytes: layout().bytes });
    expect(outcomes.get('half')).toMatchObject({ status: 'timed', passes: [1, 1], residentBytes: layout().bytes / 2 });
  });
});
