import { BLOCK_TOKENS, DEFAULT_SINK_TOKENS } from '../core/blocks.ts';
import { invalidArgument } from '../core/errors.ts';
import { Rng } from '../core/rng.ts';
import { type Backend, BYTES_PER_ELEMENT, type FloatDType, type Tensor } from '../native/backend.ts';
import type { Arm } from './interleave.ts';

/** A timed kernel with the work it must do, so that a time becomes a rate against a ceiling. */
export interface KernelArm extends Arm {
  /** Bytes that must be read or written at least once per run. */
  readonly bytes: number;
  /** Floating-point operations per run (a multiply-add counts two). */
  readonly flops: number;
  dispose(): void;
}

export interface AttentionShape {
  readonly batch: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly tokens: number;
  readonly kvDType: FloatDType;
  /** Dtype of queries, keys, values and outputs, and of the rows of matrix products. */
  readonly activations: FloatDType;
}

/**
 * Slots per KV head. `dense`: all tokens. `uniform`: the same share for every head. `skewed`: the same total, but half of the heads have
 * four times as many as the other half.
 */
export type SpanProfile = 'dense' | 'uniform' | 'skewed';

/** Spans of one layer, whole blocks, at least two; `uniform` and `skewed` hold the same number of slots. */
export function benchSpans(profile: SpanProfile, kvHeads: number, tokens: number, density: number): Int32Array {
  const blocks = Math.ceil(tokens / BLOCK_TOKENS);
  if (profile === 'dense') return new Int32Array(kvHeads).fill(blocks * BLOCK_TOKENS);
  if (kvHeads % 2 !== 0) throw invalidArgument('an even number of KV heads', 'kvHeads', kvHeads);
  const share = Math.max(5, 5 * Math.round((blocks * density) / 5));
  if (profile === 'uniform') return new Int32Array(kvHeads).fill(share * BLOCK_TOKENS);
  const long = (share * 8) / 5;
  if (long > blocks) throw invalidArgument(`a density of at most ${(0.625).toFixed(3)}`, 'density of skewed spans', density);
  return Int32Array.from({ length: kvHeads }, (_, h) => BLOCK_TOKENS * (h % 2 === 0 ? long : (share * 2) / 5));
}

/** Attention of one new token per sequence over its live slots. */
export function decodeAttentionArm(backend: Backend, id: string, shape: AttentionShape, spans: Int32Array): KernelArm {
  const { batch, heads, kvHeads, headDim, tokens, activations } = shape;
  const random = randomTensors(backend, id);
  const cache = backend.kvCache({
    policy: 'ring',
    sequences: batch,
    layers: 1,
    kvHeads,
    headDim,
    dtype: shape.kvDType,
    sink: DEFAULT_SINK_TOKENS,
    capacities: repeat(spans, batch),
  });
  const chunk = random([tokens, kvHeads, headDim], activations);
  for (let b = 0; b < batch; b++) {
    backend.cacheAppend({ cache, layer: 0, k: chunk, v: chunk, segments: Int32Array.of(0, tokens, 0, b) });
    backend.cacheAdvance({ cache, sequences: Int32Array.of(b), counts: Int32Array.of(tokens - 1) }); // the last token is being decoded
  }
  const q = random([batch, heads, headDim], activations);
  const out = backend.tensor(activations, [batch, heads, headDim]);
  const sequences = Int32Array.from({ length: batch }, (_, b) => b);
  const slots = spans.reduce((sum, c) => sum + Math.min(c, tokens), 0) * batch;
  return {
    id,
    bytes: slots * headDim * 2 * BYTES_PER_ELEMENT[shape.kvDType],
    flops: slots * headDim * 4 * (heads / kvHeads),
    run: () => backend.time(() => backend.attentionDecode({ cache, layer: 0, q, out, sequences, scale: headDim ** -0.5 })),
    dispose: () => disposeAll(cache, chunk, q, out),
  };
}

/** Whole-prompt attention of one sequence. Rows see sinks and their window; flops count visible pairs only. */
export function prefillAttentionArm(backend: Backend, id: string, shape: AttentionShape, spans: Int32Array): KernelArm {
  const { heads, kvHeads, headDim, tokens, activations } = shape;
  const random = randomTensors(backend, id);
  const cache = backend.kvCache({
    policy: 'ring',
    sequences: 1,
    layers: 1,
    kvHeads,
    headDim,
    dtype: shape.kvDType,
    sink: DEFAULT_SINK_TOKENS,
    capacities: spans,
  });
  const [q, k, v, out] = [heads, kvHeads, kvHeads, heads].map((h) => random([tokens, h, headDim], activations)) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const segments = Int32Array.of(0, tokens, 0, 0);
  const pairs = spans.reduce((sum, span) => sum + visiblePairs(tokens, span), 0) * (heads / kvHeads);
  return {
    id,
    bytes: tokens * (2 * heads + 2 * kvHeads) * headDim * BYTES_PER_ELEMENT[activations],
    flops: pairs * headDim * 4,
    run: () => backend.time(() => backend.attentionPrefill({ q, k, v, out, segments, scale: headDim ** -0.5, cache, layer: 0 })),
    dispose: () => disposeAll(cache, q, k, v, out),
  };
}

/** (query, key) pairs that a head with this span computes over a prompt: a row sees itself and the rows before it, up to the span. */
export function visiblePairs(tokens: number, span: number): number {
  let pairs = 0;
  for (let i = 0; i < tokens; i++) pairs += Math.min(i + 1, span);
  return pairs;
}

export interface GemmShape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly weights: FloatDType;
  readonly activations: FloatDType;
}

/** A projection of `m` rows: [m, k] times the transpose of [n, k]. */
export function gemmArm(backend: Backend, id: string, shape: GemmShape): KernelArm {
  const { m, n, k, weights, activations } = shape;
  const random = randomTensors(backend, id);
  const a = random([m, k], activations);
  const b = random([n, k], weights);
  const out = backend.tensor(activations, [m, n]);
  return {
    id,
    bytes: m * k * BYTES_PER_ELEMENT[activations] + n * k * BYTES_PER_ELEMENT[weights],
    flops: 2 * m * n * k,
    run: () => backend.time(() => backend.gemm({ a, b, out, transposeB: true })),
    dispose: () => disposeAll(a, b, out),
  };
}

const CEILING_COLUMNS = 65536;
const ROWS_PER_MIB = 2 ** 20 / (CEILING_COLUMNS * 4);

export interface ReadCeilingArm extends KernelArm {
  /** Enqueues a reading of the first `mebibytes`: fills caches with what no other arm reads, and leaves no line to write back. */
  evict(mebibytes: number): void;
}

/** The read-only bandwidth ceiling: an argmax over `mebibytes` of float32, which reads every byte once and writes a few. */
export function readCeilingArm(backend: Backend, id: string, mebibytes: number): ReadCeilingArm {
  const rows = mebibytes * ROWS_PER_MIB;
  const logits = randomTensors(backend, id)([rows, CEILING_COLUMNS], 'f32');
  const out = backend.tensor('i32', [rows]);
  return {
    id,
    bytes: rows * CEILING_COLUMNS * 4,
    flops: 0,
    run: () => backend.time(() => backend.argmax({ logits, out })),
    evict: (part) => backend.argmax({ logits: logits.rows(0, part * ROWS_PER_MIB), out: out.rows(0, part * ROWS_PER_MIB) }),
    dispose: () => disposeAll(logits, out),
  };
}

/** Makes tensors of flat random numbers of deviation 1, never zeros: the data decide the power that a GPU draws, and so its clock. */
function randomTensors(backend: Backend, id: string): (shape: readonly number[], dtype: FloatDType) => Tensor {
  const rng = new Rng(id);
  return (shape, dtype) => {
    const out = backend.tensor(dtype, shape);
    backend.fillUniform({ out, seed: Math.floor(rng.random() * 2 ** 53), deviation: 1 });
    return out;
  };
}

function repeat(spans: Int32Array, times: number): Int32Array {
  const out = new Int32Array(spans.length * times);
  for (let i = 0; i < times; i++) out.set(spans, i * spans.length);
  return out;
}

function disposeAll(...items: readonly { dispose(): void }[]): void {
  for (const item of items) item.dispose();
}
