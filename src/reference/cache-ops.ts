import type { Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import { invalidArgument } from '../core/errors.ts';
import type {
  AttentionDecodeParams,
  AttentionPrefillParams,
  CacheAdvanceParams,
  CacheAppendParams,
  DecodeAppendParams,
  KvCache,
} from '../native/backend.ts';
import { attentionMask, checkQkv, denseAttention, repeatKvHeads, withoutUnseen } from './dense-attention.ts';
import { finite, type OpContext, parseSegments, type Segment } from './op-context.ts';
import { rotate } from './pointwise-ops.ts';
import { ReferenceKvCache } from './reference-kv-cache.ts';
import type { ReferenceTensor } from './reference-tensor.ts';

interface CacheLayer {
  readonly cache: ReferenceKvCache;
  readonly layer: number;
}

/** Attention of new rows over what their sequence has cached and over themselves. */
export function attentionPrefill(context: OpContext, params: AttentionPrefillParams): void {
  const { tf } = context;
  const qkv = checkQkv(context, params);
  const { tokens, heads, kvHeads, headDim } = qkv;
  const out = context.float(params.out, 'out', qkv.q.shape);
  const logSumExp = params.logSumExp && context.f32(params.logSumExp, 'logSumExp', [tokens, heads]);
  const scale = finite(params.scale, 'scale');
  const cached = params.cache && checkCache(context, params.cache, { layer: params.layer ?? 0, kvHeads, headDim });
  const segments = parseSegments(params.segments, tokens);
  if (cached) for (const segment of segments) checkContinues(cached, segment, segments);
  for (const segment of segments) {
    tf.tidy(() => {
      const { rowStart, rowCount } = segment;
      const past = cached ? segment.firstPosition : 0;
      const [k, v] = (['k', 'v'] as const).map((name) => {
        const current = context.loadHeads(qkv[name], rowStart, rowCount);
        const all = cached && past > 0 ? tf.concat([storedHeads(context, cached, segment.sequence, past)[name], current], 1) : current;
        return repeatKvHeads(tf, all, heads);
      }) as [Tensor3D, Tensor3D];
      const windows = windowsOf(cached, segment.sequence, heads, kvHeads);
      const sink = cached?.cache.spec.sink ?? 0;
      const mask = attentionMask(tf, { firstPosition: past, queries: rowCount, keys: past + rowCount, sink, windows });
      const q = context.loadHeads(qkv.q, rowStart, rowCount);
      const attention = denseAttention(tf, { q, k, v: withoutUnseen(tf, v, mask) }, { mask, scale });
      context.storeHeads(out, rowStart, attention.out);
      if (logSumExp) context.store(logSumExp.rows(rowStart, rowCount) as ReferenceTensor, attention.logSumExp().transpose<Tensor2D>());
    });
  }
}

/** Appends the rows of every segment to what its sequence has cached. */
export function cacheAppend(context: OpContext, params: CacheAppendParams): void {
  const k = context.float(params.k, 'k', ['any', 'any', 'any']);
  const [tokens, kvHeads, headDim] = k.shape as readonly [number, number, number];
  const v = context.float(params.v, 'v', k.shape);
  const at = checkCache(context, params.cache, { layer: params.layer, kvHeads, headDim });
  const segments = parseSegments(params.segments, tokens);
  for (const segment of segments) {
    checkContinues(at, segment, segments);
    at.cache.checkRoom(segment.sequence, at.layer, segment.rowCount);
  }
  for (const { rowStart, rowCount, sequence } of segments) {
    const rows = [k, v].map((x) => (x.rows(rowStart, rowCount) as ReferenceTensor).load() as Float32Array) as [Float32Array, Float32Array];
    at.cache.append({ sequence, layer: at.layer }, ...rows);
  }
}

/** RoPE at each sequence's length, then append. */
export function decodeAppend(context: OpContext, params: DecodeAppendParams): void {
  const { tf } = context;
  const { q, k, v, kvHeads, headDim, tokens } = checkQkv(context, params);
  const at = checkCache(context, params.cache, { layer: params.layer, kvHeads, headDim });
  checkSequences(at.cache, params.sequences, tokens);
  if (headDim % 2 !== 0) throw invalidArgument('an even head dim', 'q', q.shape);
  const frequencies = context.load(context.f32(params.inverseFrequencies, 'inverseFrequencies', [headDim / 2]));
  const scale = finite(params.scale, 'scale');
  for (const sequence of params.sequences) at.cache.checkRoom(sequence, at.layer, 1);
  const positions = tf.tensor1d(Array.from(params.sequences, (sequence) => at.cache.lengthOf(sequence)));
  for (const tensor of [q, k]) context.store(tensor, rotate(tf, context.load(tensor) as Tensor3D, { positions, frequencies, scale }));
  params.sequences.forEach((sequence, row) => {
    const rows = [k, v].map((x) => (x.rows(row, 1) as ReferenceTensor).load() as Float32Array) as [Float32Array, Float32Array];
    at.cache.append({ sequence, layer: at.layer }, ...rows);
  });
}

/** Attention of one new row for each sequence over the sequence's cache, which already holds the row's own token as its last. */
export function attentionDecode(context: OpContext, params: AttentionDecodeParams): void {
  const { tf } = context;
  const q = context.float(params.q, 'q', ['any', 'any', 'any']);
  const [batch, heads, headDim] = q.shape as readonly [number, number, number];
  const out = context.float(params.out, 'out', q.shape);
  const at = checkCache(context, params.cache, { layer: params.layer, headDim });
  const { kvHeads, sink } = at.cache.spec;
  if (heads % kvHeads !== 0) throw invalidArgument(`a multiple of ${kvHeads} KV heads`, 'q', q.shape);
  checkSequences(at.cache, params.sequences, batch);
  const scale = finite(params.scale, 'scale');
  for (const sequence of params.sequences) at.cache.checkRoom(sequence, at.layer, 1);
  params.sequences.forEach((sequence, row) => {
    tf.tidy(() => {
      const position = at.cache.lengthOf(sequence);
      const stored = storedHeads(context, at, sequence, position + 1);
      const windows = windowsOf(at, sequence, heads, kvHeads);
      const mask = attentionMask(tf, { firstPosition: position, queries: 1, keys: position + 1, sink, windows });
      const [k, v] = [repeatKvHeads(tf, stored.k, heads), withoutUnseen(tf, repeatKvHeads(tf, stored.v, heads), mask)];
      context.storeHeads(out, row, denseAttention(tf, { q: context.loadHeads(q, row, 1), k, v }, { mask, scale }).out);
    });
  });
}

/** lengths[sequence] += count. */
export function cacheAdvance(context: OpContext, params: CacheAdvanceParams): void {
  const { cache } = checkCache(context, params.cache, { layer: 0 });
  checkSequences(cache, params.sequences, params.sequences.length);
  const valid =
    params.counts instanceof Int32Array && params.counts.length === params.sequences.length && params.counts.every((n) => n >= 0);
  if (!valid) throw invalidArgument(`${params.sequences.length} counts of at least 0`, 'counts', params.counts);
  params.sequences.forEach((sequence, i) => {
    for (let layer = 0; layer < cache.spec.layers; layer++) cache.checkRoom(sequence, layer, params.counts[i] as number);
  });
  params.sequences.forEach((sequence, i) => {
    cache.advance(sequence, params.counts[i] as number);
  });
}

function checkCache(
  context: OpContext,
  cache: KvCache,
  expected: { readonly layer: number; readonly kvHeads?: number; readonly headDim?: number },
): CacheLayer {
  if (!(cache instanceof ReferenceKvCache) || cache.ledger !== context.ledger)
    throw invalidArgument('a KV cache of this backend', 'cache', typeof cache);
  if (!cache.alive) throw invalidArgument('a live KV cache', 'cache', 'a disposed one');
  const { layers, kvHeads, headDim } = cache.spec;
  const { layer } = expected;
  if (!(Number.isInteger(layer) && layer >= 0 && layer < layers)) throw invalidArgument(`an integer within [0, ${layers})`, 'layer', layer);
  if ((expected.kvHeads ?? kvHeads) !== kvHeads) throw invalidArgument(`${kvHeads} KV heads`, 'k', expected.kvHeads);
  if ((expected.headDim ?? headDim) !== headDim) throw invalidArgument(`head dim ${headDim}`, 'q', expected.headDim);
  return { cache, layer };
}

function checkSequences(cache: ReferenceKvCache, sequences: Int32Array, count: number): void {
  const valid = sequences instanceof Int32Array && sequences.length === count && new Set(sequences).size === count;
  if (!valid) throw invalidArgument(`${count} distinct sequences`, 'sequences', sequences);
  for (const sequence of sequences) cache.checkSequence(sequence);
}

function checkContinues({ cache }: CacheLayer, segment: Segment, all: readonly Segment[]): void {
  const { sequence, firstPosition } = segment;
  const length = cache.lengthOf(sequence);
  if (firstPosition !== length) throw invalidArgument(`${length}, the length of sequence ${sequence},`, 'firstPosition', firstPosition);
  if (all.some((other) => other !== segment && other.sequence === sequence))
    throw invalidArgument('one segment a sequence', 'segments', sequence);
}

/** Positions [0, tokens) of the cache as [Hkv, tokens, D]. */
function storedHeads({ tf }: OpContext, at: CacheLayer, sequence: number, tokens: number): { readonly k: Tensor3D; readonly v: Tensor3D } {
  const { kvHeads, headDim } = at.cache.spec;
  const { keys, values } = at.cache.stored({ sequence, layer: at.layer }, tokens);
  const [k, v] = [keys, values].map((x) => tf.tensor3d(x, [tokens, kvHeads, headDim]).transpose<Tensor3D>([1, 0, 2])) as [
    Tensor3D,
    Tensor3D,
  ];
  return { k, v };
}

/** Window per query head. */
function windowsOf(at: CacheLayer | undefined, sequence: number, heads: number, kvHeads: number): readonly number[] {
  const group = heads / kvHeads;
  return Array.from({ length: heads }, (_, head) => at?.cache.window(sequence, at.layer, Math.floor(head / group)) ?? Infinity);
}
