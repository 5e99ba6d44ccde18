import { describe, MoaError } from '../core/errors.ts';
import { orAborted, throwIfAborted } from '../model/inference/abort.ts';
import { createCache, type ModelCache } from '../model/inference/caches.ts';
import { DecodeSession } from '../model/inference/decode.ts';
import { STEPS_AHEAD } from '../model/inference/generate.ts';
import type { LanguageModel } from '../model/inference/language-model.ts';
import type { CacheLayout } from '../plan/cache-layout.ts';
import type { Arm } from './interleave.ts';
import { type TimedMemory, timedMemory } from './timed-memory.ts';

export interface DecodeArmOptions {
  readonly id: string;
  readonly model: LanguageModel;
  /** The cache of every sequence of the batch; its `tokens` are the length at which a pass ends. */
  readonly layout: CacheLayout;
  readonly batch: number;
  /** Steps of one pass. */
  readonly newTokens: number;
  /** Maximum number of tokens that are put into the cache at once. */
  readonly chunkTokens: number;
  readonly graph: 'on' | 'off';
  readonly signal?: AbortSignal | undefined;
  readonly onMemory: (memory: TimedMemory) => void;
}

/** Steps before the first pass: the first allocates, the second records what later ones replay. */
const WARMUP_STEPS = 2;

/**
 * Decoding at a stated length: a pass decodes the last `newTokens` tokens up to it. Before a pass, the caches are filled with random keys
 * and values of deviation 1, untimed. The cost of a step depends on how many keys there are and not on their values, and a prefill of a
 * long prompt for every contender would take most of the time. The cache is made for each timing and freed after it, so that a contender
 * has the memory to itself.
 */
export function decodeArm(options: DecodeArmOptions): Arm {
  const { id, model, layout, newTokens, signal } = options;
  const { backend } = model;
  const filled = layout.tokens - newTokens;
  let cache: ModelCache | undefined;
  let session: DecodeSession | undefined;
  return {
    id,
    async prepare() {
      await backend.synchronize(); // the memory of the previous contender is free now
      cache = createCache(
        model,
        Array.from({ length: options.batch }, () => layout),
      );
      fill(options, cache, filled);
      await backend.synchronize();
      backend.resetPeak(); // filling is no part of decoding
      const sequences = Int32Array.from({ length: options.batch }, (_, i) => i);
      session = new DecodeSession(model, { cache, sequences, lastTokens: new Int32Array(options.batch), graph: options.graph });
      await decode(session, Math.min(WARMUP_STEPS, newTokens), signal);
    },
    async run() {
      if (cache === undefined || session === undefined)
        throw new MoaError(`Expected ${id} to be prepared but it was not`, { code: 'INTERNAL' });
      for (let s = 0; s < options.batch; s++) cache.reset(s);
      fill(options, cache, filled);
      await orAborted(backend.synchronize(), signal);
      const start = performance.now();
      await decode(session, newTokens, signal);
      const ms = performance.now() - start;
      cache.assertResident();
      options.onMemory(timedMemory(model, cache.kv.residentBytes));
      return ms;
    },
    async release() {
      session?.dispose();
      cache?.dispose();
      session = undefined;
      cache = undefined;
    },
  };
}

/** Decodes `steps` tokens of every sequence; like `generate`, enqueues a few steps ahead of what is read. */
async function decode(session: DecodeSession, steps: number, signal: AbortSignal | undefined): Promise<void> {
  const pending: Promise<Int32Array>[] = [];
  try {
    for (let step = 0; step < steps; step++) {
      throwIfAborted(signal);
      while (pending.length < STEPS_AHEAD && step + pending.length < steps) pending.push(session.step());
      const tokens = await orAborted(pending.shift() ?? Promise.resolve(new Int32Array(0)), signal);
      const bad = tokens.find((token) => token < 0);
      if (bad !== undefined) throw new MoaError(`Expected finite logits but received token ${describe(bad)} (a NaN)`, { code: 'INTERNAL' });
    }
  } finally {
    for (const promise of pending) promise.catch(() => {}); // after an error nobody else waits for these
  }
}

/** Enqueues `tokens` random keys and values for every sequence and layer, in chunks as a prefill has them. */
function fill({ model, batch, chunkTokens }: DecodeArmOptions, cache: ModelCache, tokens: number): void {
  const { backend, config } = model;
  const rows = Math.min(chunkTokens, tokens);
  if (rows === 0) return;
  const chunk = backend.tensor(model.activationDType, [rows, config.kvHeads, config.headDim]);
  try {
    backend.fillUniform({ out: chunk, seed: 1, deviation: 1 });
    for (let s = 0; s < batch; s++) {
      for (let first = 0; first < tokens; first += rows) {
        const count = Math.min(rows, tokens - first);
        const part = chunk.rows(0, count);
        for (let layer = 0; layer < config.layers; layer++)
          backend.cacheAppend({ cache: cache.kv, layer, k: part, v: part, segments: Int32Array.of(0, count, first, s) });
        cache.advance(Int32Array.of(s), Int32Array.of(count));
      }
    }
  } finally {
    chunk.dispose();
  }
}
