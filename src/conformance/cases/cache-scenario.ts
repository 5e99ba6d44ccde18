import type { CachePolicy, FloatDType, KvCache, KvCacheSpec, Tensor } from '../../native/backend.ts';
import { rotaryFrequencies, type Stage } from '../stage.ts';

/** A cache and what goes through it. */
export interface CacheScenario {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly policy?: CachePolicy; // ring by default
  /** Slots per KV head, repeated over the heads and shifted by one for each sequence; ignored by `dynamic`. */
  readonly spans?: readonly number[];
  readonly sink?: number; // 64 by default
  readonly kv?: FloatDType; // f32 by default
  readonly sequences?: number; // 1 by default
  readonly activations?: FloatDType; // of q, k, v and outputs; f32 by default
  /** Standard deviation of q, k and v; 1 by default. */
  readonly deviation?: number;
}

/**
 * Sinks of no block, one, two and eight. Cases use the same spans and lengths with each of them, so that only the sink decides which tokens
 * stay.
 */
export const SINKS = [0, 64, 128, 512] as const;

const LAYERS = 2;
/** The layer that cases use; layer 0 exists so that a forgotten layer offset is noticed. */
export const LAYER = 1;

export function makeCache(stage: Stage, scenario: CacheScenario): KvCache {
  const { kvHeads, headDim, policy = 'ring', spans = [128], sink = 64, kv = 'f32', sequences = 1 } = scenario;
  const capacities: number[] = [];
  for (let sequence = 0; sequence < sequences; sequence++) {
    for (let head = 0; head < kvHeads; head++) capacities.push(Math.max(...spans) + 64);
    for (let head = 0; head < kvHeads; head++) capacities.push(spans[(head + sequence) % spans.length] as number);
  }
  const spec: KvCacheSpec = {
    policy,
    sequences,
    layers: LAYERS,
    kvHeads,
    headDim,
    dtype: kv,
    sink,
    capacities: Int32Array.from(policy === 'dynamic' ? [] : capacities),
  };
  return stage.kvCache(spec);
}

export function attentionScale(headDim: number): number {
  return 1 / Math.sqrt(headDim);
}

/** Appends `counts[s]` random tokens to every sequence s, and advances. */
export async function appendRandom(stage: Stage, cache: KvCache, counts: readonly number[], dtype: FloatDType = 'f32'): Promise<void> {
  const { kvHeads, headDim } = cache.spec;
  const tokens = counts.reduce((total, n) => total + n, 0);
  if (tokens === 0) return;
  const [k, v] = [stage.normal([tokens, kvHeads, headDim], { dtype }), stage.normal([tokens, kvHeads, headDim], { dtype })];
  await appendTokens(stage, cache, { k, v, counts });
}

/** Appends the rows of k and v [T, Hkv, D], `counts[s]` of them to every sequence s, and advances. */
export async function appendTokens(
  stage: Stage,
  cache: KvCache,
  rows: { readonly k: Tensor; readonly v: Tensor; readonly counts: readonly number[] },
): Promise<void> {
  const { k, v, counts } = rows;
  stage.backend.cacheAppend({ cache, layer: LAYER, k, v, segments: await continuing(cache, counts) });
  advance(stage, cache, counts);
}

/** Segments that continue every sequence with counts[s] > 0 at its length. */
export async function continuing(cache: KvCache, counts: readonly number[]): Promise<Int32Array> {
  const lengths = await cache.lengths();
  const rows: number[] = [];
  let start = 0;
  counts.forEach((count, sequence) => {
    if (count > 0) rows.push(start, count, lengths[sequence] as number, sequence);
    start += count;
  });
  return Int32Array.from(rows);
}

export function advance(stage: Stage, cache: KvCache, counts: readonly number[]): void {
  stage.backend.cacheAdvance({ cache, sequences: Int32Array.from(counts.keys()), counts: Int32Array.from(counts) });
}

export type NanPlace = 'query' | 'key' | 'value';

/**
 * One decode step of `sequences` with random q, k and v: they are rotated and appended, but lengths are not advanced. `nan` puts a NaN into
 * row 0.
 */
export function decodeAppendStep(
  stage: Stage,
  cache: KvCache,
  scenario: CacheScenario,
  options: { readonly sequences: readonly number[]; readonly nan?: NanPlace },
): { readonly q: Tensor; readonly fused: Tensor } {
  const { heads, kvHeads, headDim, deviation = 1, activations } = scenario;
  const sequences = Int32Array.from(options.sequences);
  const width = (heads + 2 * kvHeads) * headDim;
  const values = stage.normals(sequences.length * width, deviation);
  if (options.nan === 'query') values[headDim + 3] = Number.NaN; // head 1
  if (options.nan === 'key') values.fill(Number.NaN, heads * headDim, (heads + kvHeads) * headDim);
  if (options.nan === 'value') values[(heads + kvHeads) * headDim + 5] = Number.NaN; // KV head 0
  const fused = stage.of(values, [sequences.length, width], activations);
  const q = fused.columns(0, [heads, headDim]);
  const k = fused.columns(heads * headDim, [kvHeads, headDim]);
  const v = fused.columns((heads + kvHeads) * headDim, [kvHeads, headDim]);
  const inverseFrequencies = stage.of(rotaryFrequencies(headDim), [headDim / 2]);
  stage.backend.decodeAppend({ cache, layer: LAYER, q, k, v, sequences, inverseFrequencies, scale: 1 });
  return { q, fused };
}

/** Attention of q [B, H, D], one row for each sequence, over the cache. The output has the dtype of q. */
export function attend(stage: Stage, cache: KvCache, q: Tensor, sequences: readonly number[]): Tensor {
  const out = stage.poisoned(q.shape, q.dtype);
  const scale = attentionScale(cache.spec.headDim);
  stage.backend.attentionDecode({ cache, layer: LAYER, q, out, sequences: Int32Array.from(sequences), scale });
  return out;
}
