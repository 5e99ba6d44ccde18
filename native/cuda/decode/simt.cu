// q [B, H, D], a cache -> out [B, H, D]: decode attention in float32, for any mix of dtypes and any
// head dim, over the same plan as attention_decode_mma. A CTA converts first the keys, then the
// values of a tile to float rows in shared memory. For scores a thread owns a token and some heads,
// for sums a dim and some heads. Tiles are not copied ahead: several CTAs on an SM hide each
// other's latency.
// Measured: reports/cuda/2026-11-24-h200
#include "cuda/decode/attention.cuh"
#include "cuda/device/block_reduce.cuh"
#include "cuda/device/row_access.cuh"

namespace moa::cuda {

namespace {

constexpr int kSimtThreads = 256;
constexpr int kTokenGroups = kSimtThreads / kTileTokens;  // threads that share a token's scores
static_assert(kSimtThreads / 32 == kDecodeHeads, "one warp per head computes its softmax");

struct DecodeSimtParams {
  DecodeInput input;
  TensorRef q, out;         // [B, H, D]
  int32_t inverse_vectors;  // i / (D / 8) = i * inverse_vectors >> 16 for all i within a tile
  bool swizzled;            // rows of the cache; then a vector is a 16-byte chunk
};

/// The shared memory of a CTA.
struct SimtShared {
  float* tile;     // [64, D + 4]; later the states of partials to merge
  float* query;    // [heads, D], scaled
  float* weights;  // [kSimtRows, 64] scores, then weights
  float* shrink;   // [kSimtRows] factor of earlier sums after this tile
  float* maxima;   // [heads]
  float* sums;     // [heads]
  int32_t* flag;

  __device__ SimtShared(float* base, int head_dim)
      : tile(base),
        query(tile + decode_simt_tile_floats(head_dim)),
        weights(query + kDecodeHeads * head_dim),
        shrink(weights + kSimtRows * kTileTokens),
        maxima(shrink + kSimtRows),
        sums(maxima + kDecodeHeads),
        flag(reinterpret_cast<int32_t*>(sums + kDecodeHeads)) {}
};

__device__ __forceinline__ void store_element(void* data, DType dtype, int64_t index, float x) {
  if (dtype == DType::kF16) {
    static_cast<Half*>(data)[index] = from_float<Half>(x);
  } else if (dtype == DType::kBF16) {
    static_cast<BFloat16*>(data)[index] = from_float<BFloat16>(x);
  } else {
    static_cast<float*>(data)[index] = x;
  }
}

/// Eight elements of a cache in registers. They are loaded as read-only memory, so that the loads
/// need not wait for earlier stores.
template <class T>
struct RawVector {
  uint4 words[sizeof(T) / 2];

  __device__ __forceinline__ void load(const T* from) {
#pragma unroll
    for (int i = 0; i < static_cast<int>(sizeof(T) / 2); ++i)
      words[i] = __ldg(reinterpret_cast<const uint4*>(from) + i);
  }
  __device__ __forceinline__ void store_floats(float* to) const {
    float x[kVectorElements];
    load_aligned(reinterpret_cast<const T*>(words), x);
    store_aligned(to, x);
  }
};

/// Converts rows [rows, D] of a cache to floats, with the swizzle undone.
template <class T>
__device__ __forceinline__ void load_rows(const DecodeSimtParams& params, const T* from, int rows,
                                          float* tile) {
  constexpr int kBatch = 8 / sizeof(T);  // 64 bytes in flight per thread
  const int head_dim = params.input.partials.head_dim, vectors = head_dim / kVectorElements;
  const int count = rows * vectors;
  const auto row_of = [&](int i) { return i * params.inverse_vectors >> 16; };
  for (int first = threadIdx.x; first < count; first += kBatch * kSimtThreads) {
    RawVector<T> raw[kBatch];
#pragma unroll
    for (int k = 0; k < kBatch; ++k) {
      const int i = min(first + k * kSimtThreads, count - 1);
      const int row = row_of(i), vector = i - row * vectors;
      const int stored = params.swizzled ? swizzled_chunk(vector, row, vectors) : vector;
      raw[k].load(from + row * head_dim + stored * kVectorElements);
    }
#pragma unroll
    for (int k = 0; k < kBatch; ++k) {
      const int i = first + k * kSimtThreads, row = row_of(i);
      if (i < count)
        raw[k].store_floats(tile + row * (head_dim + kMergePadding) +
                            (i - row * vectors) * kVectorElements);
    }
  }
}

/// weights[head][token] = q . k in the exp2 domain, or -infinity for tokens that are not live.
__device__ __forceinline__ void score_tile(const SimtShared& shared, int live, int heads,
                                           int head_dim) {
  const int token = threadIdx.x % kTileTokens;
  const auto* key =
      reinterpret_cast<const float4*>(shared.tile + token * (head_dim + kMergePadding));
#pragma unroll 1
  for (int head = threadIdx.x / kTileTokens; head < heads; head += kTokenGroups) {
    const auto* query = reinterpret_cast<const float4*>(shared.query + head * head_dim);
    float4 sum = make_float4(0, 0, 0, 0);
    if (token < live) {
#pragma unroll 4
      for (int i = 0; i < head_dim / 4; ++i) {
        const float4 q = query[i], k = key[i];
        sum.x = fmaf(q.x, k.x, sum.x), sum.y = fmaf(q.y, k.y, sum.y);
        sum.z = fmaf(q.z, k.z, sum.z), sum.w = fmaf(q.w, k.w, sum.w);
      }
    }
    shared.weights[head * kTileTokens + token] =
        token < live ? (sum.x + sum.y) + (sum.z + sum.w) : -INFINITY;
  }
}

/// One warp per head turns scores into weights and updates the maximum and the sum of the head.
__device__ __forceinline__ void update_softmax(const SimtShared& shared, int heads) {
  const int head = threadIdx.x / 32, lane = threadIdx.x % 32;
  if (head >= heads) return;
  float* weights = shared.weights + head * kTileTokens;
  const float low = weights[lane], high = weights[lane + 32], before = shared.maxima[head];
  const float largest =
      fmaxf(before, warp_reduce(fmaxf(low, high), [](float a, float b) { return fmaxf(a, b); }));
  const float low_weight = exp2f(low - largest), high_weight = exp2f(high - largest);
  const float total = warp_reduce(low_weight + high_weight, [](float a, float b) { return a + b; });
  weights[lane] = low_weight;
  weights[lane + 32] = high_weight;
  __syncwarp();  // all lanes have read the maximum that lane 0 replaces
  if (lane != 0) return;
  const float shrink = softmax_weight(before, largest);
  shared.shrink[head] = shrink;
  shared.sums[head] = shared.sums[head] * shrink + total;
  shared.maxima[head] = largest;
}

/// out[i] = out[i] * shrink + sum of weight * value over the live tokens, for dim `dim` of heads
/// first + i. Results for heads past those of the block mean nothing.
template <int kHeads>
__device__ __forceinline__ void add_values(const SimtShared& shared, int live, int head_dim,
                                           int dim, int first, float (&out)[kDecodeHeads]) {
  const float* weights = shared.weights + first * kTileTokens;
#pragma unroll
  for (int i = 0; i < kHeads; ++i) out[i] *= shared.shrink[first + i];
  const int row = head_dim + kMergePadding;
  const float* values = shared.tile + dim;
  int token = 0;
#pragma unroll 1
  for (; token + 4 <= live; token += 4) {
    const float a = values[token * row], b = values[(token + 1) * row];
    const float c = values[(token + 2) * row], d = values[(token + 3) * row];
#pragma unroll
    for (int i = 0; i < kHeads; ++i) {
      const float4 w = *reinterpret_cast<const float4*>(weights + i * kTileTokens + token);
      out[i] = fmaf(w.w, d, fmaf(w.z, c, fmaf(w.y, b, fmaf(w.x, a, out[i]))));
    }
  }
#pragma unroll 1
  for (; token < live; ++token) {
#pragma unroll
    for (int i = 0; i < kHeads; ++i)
      out[i] = fmaf(weights[i * kTileTokens + token], values[token * row], out[i]);
  }
}

/// The outputs of one thread: dim `dim` of heads [first, first + share), as far as the block has
/// these heads.
struct SimtOutput {
  int dim, first, share, heads;
  float sums[kDecodeHeads];

  __device__ SimtOutput(int head_dim, int block_heads) : heads(block_heads) {
    const int row = static_cast<int>(threadIdx.x) / head_dim;
    const int rows = min(kSimtThreads / head_dim, kDecodeHeads);
    share = (heads + rows - 1) / rows;
    dim = static_cast<int>(threadIdx.x) - row * head_dim;
    first = row < rows ? row * share : heads;
  }

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int i = 0; i < kDecodeHeads; ++i) sums[i] = 0.0f;
  }
  __device__ __forceinline__ void add(const SimtShared& shared, int live, int head_dim) {
    if (first >= heads) return;
    if (share == 1) {
      add_values<1>(shared, live, head_dim, dim, first, sums);
    } else if (share == 2) {
      add_values<2>(shared, live, head_dim, dim, first, sums);
    } else if (share <= 4) {
      add_values<4>(shared, live, head_dim, dim, first, sums);
    } else {
      add_values<8>(shared, live, head_dim, dim, first, sums);
    }
  }
  /// Writes the sums where the tile was, as [heads, D].
  __device__ __forceinline__ void leave(const SimtShared& shared, int head_dim) const {
#pragma unroll
    for (int i = 0; i < kDecodeHeads; ++i) {
      if (i < share && first + i < heads) shared.tile[(first + i) * head_dim + dim] = sums[i];
    }
    __syncthreads();
  }
};

__device__ __forceinline__ void load_query(const DecodeSimtParams& params, int64_t offset,
                                           int heads, const SimtShared& shared) {
  const int head_dim = params.input.partials.head_dim;
#pragma unroll 1
  for (int i = threadIdx.x; i < heads * head_dim; i += kSimtThreads)
    shared.query[i] =
        load_element(params.q.data, params.q.dtype, offset + i) * params.input.scale_log2;
  if (threadIdx.x < kDecodeHeads) {
    shared.maxima[threadIdx.x] = kEmptyMaximum;
    shared.sums[threadIdx.x] = 0.0f;
  }
  __syncthreads();
}

/// Adds tiles [tile, stop) of an item.
template <class T>
__device__ __forceinline__ void attend_tiles(const DecodeSimtParams& params, const PlanItem& item,
                                             int32_t kv_head, int32_t tile, int32_t stop,
                                             const SimtShared& shared, SimtOutput& output) {
  const DecodeInput& input = params.input;
  const int head_dim = input.partials.head_dim;
  const int64_t head = input.head_index(item.sequence, kv_head);
  const auto* tiles = reinterpret_cast<const T*>(input.heads[head]);
  const int32_t capacity = input.capacities[head];
  for (; tile < stop; ++tile) {
    const int32_t index = tile - item.first_tile;
    const int live = min(kTileTokens, item.slots - index * kTileTokens);
    const T* keys = tiles + static_cast<int64_t>(index) * 2 * kTileTokens * head_dim;
    load_rows(params, keys, live, shared.tile);
    __syncthreads();
    score_tile(shared, live, output.heads, head_dim);
    __syncthreads();
    update_softmax(shared, output.heads);
    load_rows(params, keys + tile_slots(index, capacity) * head_dim, live, shared.tile);
    __syncthreads();
    output.add(shared, live, head_dim);
    __syncthreads();
  }
}

/// Takes the sums that the threads have written. If the CTA has the whole item, it writes the
/// output. Otherwise it writes its partial, and the last CTA of the item to arrive writes the
/// output. `offset` is where the first head of the block starts in `out`, in elements.
__device__ __forceinline__ void finish_item(const DecodeSimtParams& params, int32_t item,
                                            int64_t offset, int heads, bool whole,
                                            const SimtShared& shared) {
  const PartialStore& store = params.input.partials;
  const auto write = [&](int32_t head, int32_t element, const SoftmaxPart& part) {
    if (head >= heads) return;
#pragma unroll
    for (int i = 0; i < kQuad; ++i)
      store_element(params.out.data, params.out.dtype, offset + head * store.head_dim + element + i,
                    __fdividef(part.values.v[i], part.sum));
  };
  CtaRange ctas{};
  float* partial = nullptr;
  if (!whole) {
    ctas = params.input.plan.shared[item];
    partial = store.slot(partial_slot(blockIdx.x, ctas.first));
  }
#pragma unroll 1
  for (int quad = threadIdx.x; quad < heads * store.head_dim / kQuad; quad += kSimtThreads) {
    const int head = quad * kQuad / store.head_dim, element = quad * kQuad - head * store.head_dim;
    const SoftmaxPart part{shared.maxima[head], shared.sums[head],
                           *reinterpret_cast<const Quad*>(shared.tile + quad * kQuad)};
    if (whole) {
      write(head, element, part);
    } else {
      store_partial(store, partial, head, element, part);
    }
  }
  if (!whole) merge_item<kSimtThreads>(store, ctas, blockIdx.x, shared.tile, shared.flag, write);
  __syncthreads();  // the states and the memory of the tile may be reused
}

template <class T>
__global__ void __launch_bounds__(kSimtThreads, kSimtCtas)
    attention_decode_simt_kernel(const __grid_constant__ DecodeSimtParams params) {
  extern __shared__ __align__(16) float decode_simt_shared[];
  const DecodeInput& input = params.input;
  if (blockIdx.x >= input.plan.header->ctas) return;
  const int head_dim = input.partials.head_dim;
  const SimtShared shared(decode_simt_shared, head_dim);
  SimtOutput output(head_dim, input.block_heads());
  const int32_t begin = input.plan.ctas[blockIdx.x].first_tile;
  const int32_t end = input.plan.ctas[blockIdx.x + 1].first_tile;
  int32_t item = input.plan.ctas[blockIdx.x].first_item;
  for (int32_t tile = begin; tile < end; ++item) {
    const PlanItem entry = input.plan.items[item];
    const int32_t kv_head = item - entry.row * input.kv_heads;
    const int32_t item_end = entry.first_tile + tiles_of(entry.slots), stop = min(item_end, end);
    // Where the first head of the block starts in a row of q or out.
    const int64_t column =
        (static_cast<int64_t>(kv_head) * input.group + input.first_head()) * head_dim;
    load_query(params, entry.row * params.q.row_stride + column, output.heads, shared);
    output.clear();
    attend_tiles<T>(params, entry, kv_head, tile, stop, shared, output);
    output.leave(shared, head_dim);
    finish_item(params, item, entry.row * params.out.row_stride + column, output.heads,
                entry.first_tile >= begin && item_end <= end, shared);
    tile = stop;
  }
}

}  // namespace

void attention_decode_simt(Context& context, const AttentionDecodeParams& params,
                           const CacheView& cache, const DecodeInput& input) {
  const DecodeLaunch shape = decode_simt_launch(cache.head_dim, shared_limits(context));
  // inverse_vectors is exact for i < 64 * 32 and at most 32 vectors per row.
  const int32_t vectors = cache.head_dim / kVectorElements;
  const DecodeSimtParams kernel_params{input, params.q, params.out, (65535 + vectors) / vectors,
                                       cache_swizzled(cache.dtype, cache.head_dim)};
  with_float_type(cache.dtype, "the KV cache", [&]<class T>() {
    const auto kernel = attention_decode_simt_kernel<T>;
    allow_shared_memory(kernel, shape.shared_bytes);
    const dim3 grid(input.partials.grid, (input.group + kDecodeHeads - 1) / kDecodeHeads);
    kernel<<<grid, kSimtThreads, shape.shared_bytes, context.stream>>>(kernel_params);
    MOA_CUDA_CHECK_LAUNCH();
  });
}

}  // namespace moa::cuda
