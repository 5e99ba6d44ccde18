import { type ConformanceCase, caseName, EXACT, needs } from '../case.ts';
import { segmentsOf } from '../stage.ts';
import { toleranceOf } from './attention-tolerance.ts';
import { appendRandom, attend, type CacheScenario, decodeAppendStep, LAYER, makeCache, SINKS } from './cache-scenario.ts';

interface AppendShape extends CacheScenario {
  readonly chunks: readonly (readonly number[])[];
  /** Sequence that is emptied, then filled with chunks[0] again. */
  readonly reset?: number;
}

/** Appends in chunks, then reads the cache by attention with two queries, an ordinary one and one with sharp scores. */
export function append(shape: AppendShape): ConformanceCase {
  const { chunks, reset, ...rest } = shape;
  const scenario = { ...rest, sequences: chunks[0]?.length ?? 1 };
  return {
    op: 'cacheAppend',
    name: caseName({ ...rest, chunks: chunks.map((counts) => counts.join('+')).join(','), reset }),
    tolerance: toleranceOf(scenario),
    ...needs(shape.activations),
    async run(stage) {
      const cache = makeCache(stage, scenario);
      for (const counts of chunks) await appendRandom(stage, cache, counts, shape.activations);
      if (reset !== undefined) {
        cache.reset(reset);
        await appendRandom(
          stage,
          cache,
          (chunks[0] ?? []).map((count, sequence) => (sequence === reset ? count : 0)),
          shape.activations,
        );
      }
      const sequences = [...Array(scenario.sequences).keys()];
      const { q } = decodeAppendStep(stage, cache, scenario, { sequences });
      const sharp = attend(stage, cache, stage.normal(q.shape, { deviation: 3, dtype: shape.activations ?? 'f32' }), sequences);
      return {
        out: attend(stage, cache, q, sequences),
        sharp,
        lengths: await cache.lengths(),
        resident: cache.residentBytesPerHead(),
        total: Float64Array.of(cache.residentBytes),
      };
    },
  };
}

/** Lengths count only tokens that were advanced over, however many were appended. */
const advances: ConformanceCase = {
  op: 'cacheAdvance',
  name: 'counts=[[2,0],[5,1]] of sequences=[2,0]',
  tolerance: EXACT,
  async run(stage) {
    const cache = makeCache(stage, { heads: 1, kvHeads: 1, headDim: 32, spans: [128], sequences: 3 });
    const k = stage.normal([9, 1, 32]);
    stage.backend.cacheAppend({ cache, layer: LAYER, k, v: k, segments: segmentsOf([0, 7, 0, 2], [7, 2, 0, 0]) });
    const sequences = Int32Array.of(2, 0);
    stage.backend.cacheAdvance({ cache, sequences, counts: Int32Array.of(2, 0) });
    const early = await cache.lengths();
    stage.backend.cacheAdvance({ cache, sequences, counts: Int32Array.of(5, 1) });
    return { early, late: await cache.lengths() };
  },
};

export const CACHE_CASES: readonly ConformanceCase[] = [
  advances,
  append({ heads: 2, kvHeads: 2, headDim: 32, spans: [128, 192], chunks: [[1], [64], [63], [130]] }),
  append({
    heads: 4,
    kvHeads: 2,
    headDim: 64,
    spans: [128, 256],
    kv: 'bf16',
    chunks: [
      [500, 3],
      [1, 200],
      [0, 129],
    ],
  }),
  append({ heads: 3, kvHeads: 3, headDim: 32, spans: [64, 128], sink: 0, kv: 'f16', chunks: [[65], [129]] }),
  ...SINKS.map((sink) => append({ heads: 2, kvHeads: 1, headDim: 32, spans: [576], sink, chunks: [[500], [60], [150]] })),
  append({
    heads: 2,
    kvHeads: 1,
    headDim: 32,
    spans: [128],
    chunks: [
      [140, 70],
      [3, 77],
    ],
    reset: 0,
  }),
  append({
    heads: 2,
    kvHeads: 1,
    headDim: 32,
    policy: 'dynamic',
    kv: 'bf16',
    chunks: [
      [14, 7],
      [3, 77],
    ],
    reset: 1,
  }),
  append({
    heads: 2,
    kvHeads: 1,
    headDim: 32,
    policy: 'full',
    spans: [192],
    chunks: [
      [140, 64],
      [51, 1],
    ],
  }),
];
