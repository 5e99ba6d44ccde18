/**
 * The op interface: what a model needs from a device. `cpu` (native/cpu) and `cuda` (native/cuda) implement it in native code, `tfjs`
 * (src/reference) independently in TF.js.
 *
 * Rules that hold for every op:
 * - Ops are enqueued on the backend's one in-order stream and return at once. `Tensor.read()` and `synchronize()` await it.
 * - Arguments are validated when enqueued: a bad shape, dtype, device or range throws MoaError INVALID_ARGUMENT then. What fails
 *   later (out of memory on the stream) rejects the next `read()`/`synchronize()`.
 * - Tensors are row-major. Only the leading dimension may be strided (`rowStride` elements between rows), so that q, k and v can be
 *   column slices of one fused projection. Outputs never alias inputs unless an op says so.
 * - Dimension words: T tokens (rows of all segments), B batch, H query heads, Hkv KV heads (H % Hkv == 0, query head h uses KV head
 *   floor(h / (H / Hkv))), D head dim, V vocabulary, F feed-forward width, N length.
 * - Sums are float32 (or better); storage is the tensor's dtype. Weights are f32|f16|bf16. Every backend takes f32 activations, and one
 *   with `traits.halfActivations` also takes f16|bf16. With 16-bit activations the operands of matrix products have 16 bits, and so do
 *   the probabilities of attention.
 */
export type DType = 'f32' | 'f16' | 'bf16' | 'i32';
export type FloatDType = Exclude<DType, 'i32'>;
export const BYTES_PER_ELEMENT = { f32: 4, f16: 2, bf16: 2, i32: 4 } as const;

/** What a tensor's memory counts as in `memory()`. */
export type MemoryKind = 'weights' | 'workspace';

export interface Tensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Elements between consecutive entries of the leading dimension. */
  readonly rowStride: number;
  /** Rows [start, start + rows) of the leading dimension; shares memory. */
  rows(start: number, rows: number): Tensor;
  /** For a tensor [T, C]: columns [start, start + product(shape)) of every row as [T, ...shape]; shares memory. */
  columns(start: number, shape: readonly number[]): Tensor;
  /** The same contiguous elements under another shape; shares memory. */
  reshape(shape: readonly number[]): Tensor;
  /**
   * Enqueues a copy of host data into the tensor. Float32Array is converted to the dtype (round to nearest even); Int32Array for i32.
   * A Uint8Array holds raw little-endian elements of `from` (default: the tensor's dtype), converted when the dtypes differ.
   * The data is copied before the call returns.
   */
  write(data: Float32Array | Int32Array | Uint8Array, from?: DType): void;
  /** Awaits the stream, then gives the elements, floats as Float32Array, in row-major order without gaps. */
  read(): Promise<Float32Array | Int32Array>;
  /** Frees the memory once the stream is done with it. Views die with their owner. Idempotent. */
  dispose(): void;
}

/**
 * A run of consecutive tokens of one sequence in a packed batch, four int32 each:
 * [rowStart, rowCount, firstPosition, sequence]. Rows [rowStart, rowStart + rowCount) are positions firstPosition, firstPosition + 1, ...
 * `sequence` indexes the cache.
 */
export type Segments = Int32Array;

export const CACHE_POLICIES = [
  'ring', // per (sequence, layer, KV head): `sink` first slots kept, the rest a ring that overwrites its oldest token
  'full', // the same storage, but running past the capacity is an error: every token stays
  'dynamic', // no capacity: one exact-size buffer per layer and sequence, reallocated and copied at every append (DynamicCache)
] as const;
export type CachePolicy = (typeof CACHE_POLICIES)[number];

export interface KvCacheSpec {
  readonly policy: CachePolicy;
  readonly sequences: number;
  readonly layers: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly dtype: FloatDType;
  /** Tokens at the start of a sequence that are never evicted; a multiple of 64 (0 allowed). */
  readonly sink: number;
  /**
   * Slots per [sequence][layer][kvHead] (flattened), multiples of 64, each > sink. With `ring`, span = capacity, window = capacity - sink:
   * query i sees key j iff j <= i and (j < sink or i - j < window). Empty for `dynamic`.
   */
  readonly capacities: Int32Array;
}

export interface KvCache {
  readonly spec: KvCacheSpec;
  /** Bytes of keys and values resident now, over all sequences, layers and heads: what the allocator gave, not what a plan says. */
  readonly residentBytes: number;
  /** Resident bytes per [layer][kvHead] summed over sequences. */
  residentBytesPerHead(): Float64Array;
  /** Tokens seen per sequence; awaits the stream. */
  lengths(): Promise<Int32Array>;
  /** Enqueues emptying of one sequence (keeps ring storage). */
  reset(sequence: number): void;
  dispose(): void;
}

export interface MemoryUse {
  readonly weightsBytes: number;
  readonly kvBytes: number;
  readonly workspaceBytes: number;
  /** Largest sum of the three since the backend was made or `resetPeak` was called. */
  readonly peakBytes: number;
  /** Memory of the whole device, including what other programs and the driver use; absent where the backend uses host memory. */
  readonly device?: DeviceMemory;
}

export interface DeviceMemory {
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** Held by this backend's pool, in use or kept for reuse. */
  readonly poolReservedBytes: number;
  readonly poolUsedBytes: number;
}

/** What a backend has beyond the ops. */
export interface BackendTraits {
  /** Activations may be f16 or bf16, not only f32. */
  readonly halfActivations: boolean;
  /** `capture` works. */
  readonly graphs: boolean;
  /** What `time` reads. */
  readonly timer: 'cuda events' | 'stream thread clock' | 'wall clock';
}

/** Ops that were recorded once and can be enqueued again as one. */
export interface Graph {
  /**
   * Enqueues everything that was recorded, on the same tensors and caches. Arguments that depend on cache lengths are checked again, as
   * if each op had been called.
   */
  replay(): void;
  /** Idempotent; a replay afterwards is INVALID_ARGUMENT. */
  dispose(): void;
}

export interface GemmParams {
  readonly a: Tensor; // [M, K]
  readonly b: Tensor; // [N, K] when transposeB, else [K, N]; f32|f16|bf16
  readonly out: Tensor; // [M, N]
  readonly transposeB: boolean;
  readonly bias?: Tensor; // [N]
  readonly accumulate?: boolean; // out += a.b
}
export interface EmbeddingParams {
  readonly ids: Tensor; // i32 [T]; an id outside [0, V) gives a row of NaN
  readonly table: Tensor; // [V, C]
  readonly out: Tensor; // [T, C]
}
export interface RmsNormParams {
  readonly x: Tensor; // [T, C] or [T, H, D]: the last dimension is normalized
  readonly weight: Tensor; // [C] or [D]
  readonly out: Tensor; // as x; may be x itself
  readonly epsilon: number;
  /** When given: residual += x first, then out = norm(residual). Same shape as x. */
  readonly residual?: Tensor;
}
export interface RmsNormBackwardParams {
  readonly x: Tensor; // the normalized input (after any residual add)
  readonly weight: Tensor;
  readonly gradOut: Tensor;
  readonly gradX: Tensor; // may be gradOut itself
  readonly epsilon: number;
  readonly accumulate?: boolean; // gradX += ...
}
export interface RopeParams {
  readonly q: Tensor; // [T, H, D], in place
  readonly k: Tensor; // [T, Hkv, D], in place
  readonly segments: Segments; // positions
  readonly inverseFrequencies: Tensor; // f32 [D / 2]; pairs are (i, i + D / 2) as in Hugging Face's rotate_half
  readonly scale: number; // YaRN's attention factor on cos and sin; 1 otherwise
  readonly inverse?: boolean; // rotate by minus the angle: the backward
}
export interface SiluMulParams {
  readonly gateUp: Tensor; // [T, 2F]: gate then up
  readonly out: Tensor; // [T, F] = silu(gate) * up
}
export interface SiluMulBackwardParams {
  readonly gateUp: Tensor; // [T, 2F]
  readonly gradOut: Tensor; // [T, F]
  readonly gradGateUp: Tensor; // [T, 2F]
}
export interface AddParams {
  readonly x: Tensor; // in place: x += y
  readonly y: Tensor;
}
export interface CopyParams {
  readonly x: Tensor;
  readonly out: Tensor; // = x, rounded to its dtype
}
export interface FillParams {
  readonly out: Tensor;
  readonly value: number;
}
/** Deterministic random numbers of a flat distribution with mean 0: the same on every backend (native/include/moa/uniform.h). */
export interface FillUniformParams {
  readonly out: Tensor; // f32|f16|bf16, elements counted in row-major order
  readonly seed: number; // integer in [0, 2^53)
  readonly deviation: number; // standard deviation, finite and >= 0
}
export interface RowsParams {
  readonly x: Tensor;
  readonly out: Tensor;
  readonly rows: Int32Array; // gather: out[i] = x[rows[i]]; scatter: out[rows[i]] = x[i], rows distinct
}
export interface AttentionPrefillParams {
  readonly q: Tensor; // [T, H, D] after RoPE
  readonly k: Tensor; // [T, Hkv, D] after RoPE
  readonly v: Tensor; // [T, Hkv, D]
  readonly out: Tensor; // [T, H, D]
  readonly segments: Segments;
  readonly scale: number;
  /**
   * With a cache, each segment also sees the tokens of its sequence that are cached already, and the mask is the cache's (sink + window per
   * KV head for `ring`, causal otherwise). The new rows are appended afterwards, by cacheAppend. firstPosition must equal the sequence's
   * length. Without a cache, attention is dense and causal within the segment.
   */
  readonly cache?: KvCache;
  readonly layer?: number;
  /** When given, log-sum-exp of the scaled scores per row and query head, natural log, f32 [T, H]. */
  readonly logSumExp?: Tensor;
}
export interface CacheAppendParams {
  readonly cache: KvCache;
  readonly layer: number;
  readonly k: Tensor; // [T, Hkv, D] after RoPE
  readonly v: Tensor; // [T, Hkv, D]
  readonly segments: Segments;
}
/** RoPE at each sequence's current length, then append: one fused op whose positions stay on the device. */
export interface DecodeAppendParams {
  readonly cache: KvCache;
  readonly layer: number;
  readonly q: Tensor; // [B, H, D], rotated in place
  readonly k: Tensor; // [B, Hkv, D], rotated in place
  readonly v: Tensor; // [B, Hkv, D]
  readonly sequences: Int32Array; // [B] distinct cache sequences, one per row
  readonly inverseFrequencies: Tensor; // f32 [D / 2]
  readonly scale: number;
}
/** Follows decodeAppend: the new token, at position t = length, sees the sinks and the last `window` tokens, itself included. */
export interface AttentionDecodeParams {
  readonly cache: KvCache;
  readonly layer: number;
  readonly q: Tensor; // [B, H, D] after RoPE
  readonly out: Tensor; // [B, H, D]
  readonly sequences: Int32Array;
  readonly scale: number;
}
/** Follows the last layer: lengths[sequence] += count. */
export interface CacheAdvanceParams {
  readonly cache: KvCache;
  readonly sequences: Int32Array;
  readonly counts: Int32Array;
}
export interface ArgmaxParams {
  readonly logits: Tensor; // [B, V]
  readonly out: Tensor; // i32 [B]; ties to the lowest index; a row with a NaN gives -1
}
export interface LogSoftmaxParams {
  readonly logits: Tensor; // [T, V]
  readonly out: Tensor; // [T, V]
}
export interface CrossEntropyParams {
  readonly logits: Tensor; // [T, V]
  readonly targets: Tensor; // i32 [T]; -1 is ignored (loss and gradient 0)
  readonly losses: Tensor; // f32 [T], nats; losses near 0 keep float32's relative precision, and so does the gradient at the target
  /** When given: gradient of gradScale * sum(losses) with respect to logits; may be logits itself. */
  readonly gradLogits?: Tensor;
  readonly gradScale?: number;
}
/** Backward of dense causal attention within segments (no cache): gradients with respect to q, k, v after RoPE. */
export interface AttentionBackwardParams {
  readonly q: Tensor; // [T, H, D]
  readonly k: Tensor; // [T, Hkv, D]
  readonly v: Tensor; // [T, Hkv, D]
  readonly out: Tensor; // [T, H, D]
  readonly logSumExp: Tensor; // f32 [T, H]
  readonly gradOut: Tensor; // [T, H, D]
  readonly gradQ: Tensor; // [T, H, D]
  readonly gradK: Tensor; // [T, Hkv, D]
  readonly gradV: Tensor; // [T, Hkv, D]
  readonly segments: Segments;
  readonly scale: number;
}
/**
 * Attention influence of one layer by distance, dense causal, in O(N) memory per head (MoA Eq. 3 and our joint criterion).
 * With A = softmax, G_ij = gradOut_i . v_j, delta_i = gradOut_i . out_i, bin b = floor((i - j) / 64), bins = ceil(longest segment / 64):
 *   E_ij = A_ij (G_ij - delta_i) / (epsilon + 1 - A_ij)        (row 0 of a sequence: A G)
 *   elementwise[kv][b]     += sum of |E_ij| over j >= sink in bin b, over the query heads of the KV head
 *   elementwiseSink[kv][b] += the same over j < sink
 *   joint[kv][b]           += sum over rows i of | sum_{j not in M} A_ij G_ij / sum_{j not in M} A_ij - delta_i |,
 *                             M = { j >= sink, i - j >= 64 b }: the first-order loss change of masking the whole far part at once;
 *                             b = 0 masks everything past the sinks, except the query's own key.
 * All three are f32 [Hkv, bins] and accumulated. Where A_ij is above about 1/2, G_ij - delta_i and 1 - A_ij would cancel, so they come from
 * sums over the row's other keys: sum_k A_ik (G_ij - G_ik) and sum_k A_ik. An implementation may take the row's own sum of A G as delta.
 */
export interface InfluenceParams {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
  readonly out: Tensor;
  readonly logSumExp: Tensor;
  readonly gradOut: Tensor;
  readonly segments: Segments;
  readonly scale: number;
  readonly sink: number;
  readonly epsilon: number;
  readonly elementwise: Tensor;
  readonly elementwiseSink: Tensor;
  readonly joint: Tensor;
}

export interface Ops {
  gemm(params: GemmParams): void;
  embedding(params: EmbeddingParams): void;
  rmsNorm(params: RmsNormParams): void;
  rmsNormBackward(params: RmsNormBackwardParams): void;
  rope(params: RopeParams): void;
  siluMul(params: SiluMulParams): void;
  siluMulBackward(params: SiluMulBackwardParams): void;
  add(params: AddParams): void;
  copy(params: CopyParams): void;
  fill(params: FillParams): void;
  fillUniform(params: FillUniformParams): void;
  gatherRows(params: RowsParams): void;
  scatterRows(params: RowsParams): void;
  attentionPrefill(params: AttentionPrefillParams): void;
  cacheAppend(params: CacheAppendParams): void;
  decodeAppend(params: DecodeAppendParams): void;
  attentionDecode(params: AttentionDecodeParams): void;
  cacheAdvance(params: CacheAdvanceParams): void;
  argmax(params: ArgmaxParams): void;
  logSoftmax(params: LogSoftmaxParams): void;
  crossEntropy(params: CrossEntropyParams): void;
  attentionBackward(params: AttentionBackwardParams): void;
  influence(params: InfluenceParams): void;
}

/** The kinds of backends there are. */
export type BackendName = 'cpu' | 'cuda' | 'tfjs';

/** A device with its stream and memory: what models run on. Its owner calls `dispose`. */
export interface Backend extends Ops {
  readonly name: BackendName;
  readonly traits: BackendTraits;
  /** One line for records: device, threads, SIMD, libraries. */
  readonly description: string;
  /** Zero-filled tensor; throws OUT_OF_MEMORY. */
  tensor(dtype: DType, shape: readonly number[], kind?: MemoryKind): Tensor;
  kvCache(spec: KvCacheSpec): KvCache;
  /** Resolves when everything enqueued before is done; rejects with the first failure since the last call. */
  synchronize(): Promise<void>;
  /**
   * Records the ops that `record` enqueues instead of running them. Everything that they use stays alive as long as the graph. Throws
   * INVALID_ARGUMENT for what cannot be recorded: cacheAdvance, KvCache.reset, appends to a `dynamic` cache, prefill, writes and reads.
   * Throws UNSUPPORTED without `traits.graphs`.
   */
  capture(record: () => void): Graph;
  /** Milliseconds that the stream spends on what `enqueue` enqueues, by `traits.timer`; what was enqueued before is awaited first. */
  time(enqueue: () => void): Promise<number>;
  memory(): MemoryUse;
  /**
   * One sentence for each op that has so far run on another kernel than the one meant for it, with the reason; no sentence appears twice.
   * The list is complete once `synchronize` has resolved.
   */
  substitutions(): readonly string[];
  resetPeak(): void;
  /** Upper limit for the sum of all allocations in bytes; beyond it `tensor` and `kvCache` throw OUT_OF_MEMORY. 0: none. */
  setMemoryLimit(bytes: number): void;
  dispose(): Promise<void>;
}
