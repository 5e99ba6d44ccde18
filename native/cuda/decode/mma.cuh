#pragma once
// Decode attention on tensor cores, divided by stream-K over heads with different spans
// (decode/plan.h).
//
// The operands are swapped: tokens are the m of mma.m16n8k16, and the query heads of a group are
// its n. A group of 1 then costs as much as a group of 8, and memory remains the limit for both.
// Each of four warps takes 16 tokens of a tile of 64:
//   S^T [16 tokens, 8 heads] = K Q^T
//   P^T = 2^(S^T - maximum of the column)
//   O^T [D, 8 heads] += V^T P^T
// Two 8x8 transposes turn P^T from an accumulator into a B operand. Each warp keeps its own maxima,
// sums and O^T until the item or the range of the CTA ends. So tiles need no barriers except those
// of the pipeline.
#include "cuda/decode/attention.cuh"
#include "cuda/decode/tiles.cuh"
#include "cuda/device/mma.cuh"

namespace moa::cuda {

constexpr int kWarpTokens = 16;
static_assert(kConsumerWarps * kWarpTokens == kTileTokens);
constexpr int kConsumers = 32 * kConsumerWarps;
constexpr int kDecodeMmaThreads = kConsumers + 32;  // and one warp that starts the copies

template <class T>
struct DecodeMmaParams {
  DecodeInput input;
  const T* q;  // [B, H, D]
  T* out;      // [B, H, D]
  int64_t q_stride, out_stride;
  int32_t stages;
};

/// The results of the warps at the end of an item, in shared memory, where they are merged.
template <int kHeadDim>
struct WarpResults {
  static constexpr int kRow = kHeadDim + kMergePadding;
  float* values;  // [warps, heads, kRow]
  float* maxima;  // [warps, heads]
  float* sums;    // [warps, heads]
  int32_t* flag;

  __device__ explicit WarpResults(unsigned char* base)
      : values(reinterpret_cast<float*>(base)),
        maxima(values + decode_mma_merge_floats(kHeadDim)),
        sums(maxima + kConsumerWarps * kDecodeHeads),
        flag(reinterpret_cast<int32_t*>(sums + kConsumerWarps * kDecodeHeads)) {}

  __device__ SoftmaxPart merged(int head, int element) const {
    return merge_softmax(
        kConsumerWarps, [&](int32_t w) { return maxima[w * kDecodeHeads + head]; },
        [&](int32_t w) { return sums[w * kDecodeHeads + head]; },
        [&](int32_t w) {
          return *reinterpret_cast<const Quad*>(values + (w * kDecodeHeads + head) * kRow +
                                                element);
        });
  }
};

/// The attention of the block's query heads over the tokens of one warp. Lane 4 g + t holds columns
/// (heads) 2 t and 2 t + 1 of S^T and O^T, and head g of Q^T.
template <class T, int kHeadDim>
struct WarpAttention {
  using Rows = TileRows<kHeadDim>;
  static constexpr int kSteps = Rows::kSteps;

  uint32_t query[kSteps][2];
  float out[kSteps][4];
  float maximum[2], sum[2];  // sums of this lane's tokens only
  int group_lane, pair_lane, first_token;
  uint32_t key_offset, value_offset;  // of the rows that this lane gives to ldmatrix

  __device__ WarpAttention(int warp, int lane)
      : group_lane(lane / 4), pair_lane(lane % 4), first_token(warp * kWarpTokens) {
    // Keys as A [16 tokens, 16 dims]: the matrices of tokens 0-7 and 8-15 for one chunk of dims,
    // then both for the next chunk.
    key_offset = Rows::lane_offset(first_token + lane % 16, lane / 16);
    // Values, transposed, as A [16 dims, 16 tokens]: the matrices of both chunks of dims for tokens
    // 0-7, then for tokens 8-15.
    value_offset =
        Rows::kBlockBytes + Rows::lane_offset(first_token + lane % 8 + lane / 16 * 8, lane / 8 % 2);
  }

  /// Loads Q^T as B [16 dims, 8 heads] for every step; columns past `heads` are zero. `rows` is
  /// [heads, D].
  __device__ __forceinline__ void load_query(const T* rows, int heads) {
    const auto* pairs = reinterpret_cast<const uint32_t*>(rows + group_lane * kHeadDim) + pair_lane;
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      query[step][0] = group_lane < heads ? pairs[step * 8] : 0;
      query[step][1] = group_lane < heads ? pairs[step * 8 + 4] : 0;
    }
  }

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
#pragma unroll
      for (int i = 0; i < 4; ++i) out[step][i] = 0.0f;
    }
#pragma unroll
    for (int i = 0; i < 2; ++i) maximum[i] = kEmptyMaximum, sum[i] = 0.0f;
  }

  /// Adds the tile at a shared address, of which only the first `live` tokens count.
  __device__ __forceinline__ void attend(uint32_t tile, int live, float scale_log2) {
    if (first_token >= live) return;
    if (first_token + kWarpTokens > live) clear_dead_values(tile, live);
    float weights[4];
    scores(tile, live, scale_log2, weights);
    float shrink[2];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      float largest = fmaxf(weights[i], weights[i + 2]);
#pragma unroll
      for (int lanes = 4; lanes < 32; lanes *= 2)
        largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, lanes));
      largest = fmaxf(maximum[i], largest);
      shrink[i] = exp2_approximate(maximum[i] - largest);
      maximum[i] = largest;
      weights[i] = exp2_approximate(weights[i] - largest);
      weights[i + 2] = exp2_approximate(weights[i + 2] - largest);
      sum[i] = sum[i] * shrink[i] + (weights[i] + weights[i + 2]);
    }
    const uint32_t low = movmatrix_trans(pack_pair<T>(weights[0], weights[1]));
    const uint32_t high = movmatrix_trans(pack_pair<T>(weights[2], weights[3]));
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
#pragma unroll
      for (int i = 0; i < 4; ++i) out[step][i] *= shrink[i % 2];
      uint32_t values[4];
      ldmatrix_x4_trans(values, Rows::step_address(tile + value_offset, step));
      mma_m16n8k16<T>(out[step], values, low, high);
    }
  }

  /// S^T in the exp2 domain, for tokens g and g + 8 of heads 2 t and 2 t + 1. Dead tokens get
  /// -infinity, whatever their keys contain.
  __device__ __forceinline__ void scores(uint32_t tile, int live, float scale_log2,
                                         float (&x)[4]) const {
    // Two chains of sums, because an mma waits for the sum that it adds to.
    float even[4] = {0, 0, 0, 0}, odd[4] = {0, 0, 0, 0};
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      uint32_t keys[4];
      ldmatrix_x4(keys, Rows::step_address(tile + key_offset, step));
      mma_m16n8k16<T>(step % 2 == 0 ? even : odd, keys, query[step][0], query[step][1]);
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const bool counts = first_token + group_lane + i / 2 * 8 < live;
      x[i] = counts ? (even[i] + odd[i]) * scale_log2 : -INFINITY;
    }
  }

  /// Sets the values of dead slots to zero: a weight of 0 times their old content could be NaN.
  __device__ __forceinline__ void clear_dead_values(uint32_t tile, int live) const {
    const uint32_t first = tile + Rows::kBlockBytes + live * Rows::kRowBytes;
    const uint32_t bytes = (first_token + kWarpTokens - live) * Rows::kRowBytes;
    for (uint32_t at = threadIdx.x % 32 * kChunkBytes; at < bytes; at += 32 * kChunkBytes)
      store_zero_chunk(first + at);
    before_next_copy_fence();
    __syncwarp();
  }

  /// Adds up the sums of the lanes and writes everything where the other warps read it.
  __device__ __forceinline__ void leave(const WarpResults<kHeadDim>& results, int warp) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
#pragma unroll
      for (int lanes = 4; lanes < 32; lanes *= 2)
        sum[i] += __shfl_xor_sync(0xffffffffu, sum[i], lanes);
      const int row = warp * kDecodeHeads + 2 * pair_lane + i;
      if (group_lane == 0) results.maxima[row] = maximum[i], results.sums[row] = sum[i];
      float* values = results.values + row * WarpResults<kHeadDim>::kRow + group_lane;
#pragma unroll
      for (int step = 0; step < kSteps; ++step) {
        values[step * 16] = out[step][i];
        values[step * 16 + 8] = out[step][i + 2];
      }
    }
  }
};

/// Writes four elements of the output. The sum is at least 1 (the largest weight), or NaN, so the
/// division is safe.
template <class T>
__device__ __forceinline__ void write_output(T* to, const SoftmaxPart& part) {
  const float(&v)[4] = part.values.v;
  const float inverse = __fdividef(1.0f, part.sum);
  *reinterpret_cast<uint2*>(to) = make_uint2(pack_pair<T>(v[0] * inverse, v[1] * inverse),
                                             pack_pair<T>(v[2] * inverse, v[3] * inverse));
}

/// Merges the warps' results of an item. If the CTA has the whole item, it writes the output.
/// Otherwise it writes its partial, and the last CTA of the item to arrive writes the output.
template <class T, int kHeadDim>
__device__ __forceinline__ void finish_item(const DecodeMmaParams<T>& params,
                                            const WarpResults<kHeadDim>& results, int32_t item,
                                            T* out, bool whole) {
  const PartialStore& store = params.input.partials;
  const int32_t heads = params.input.block_heads();
  CtaRange ctas{};
  float* partial = nullptr;
  if (!whole) {
    ctas = params.input.plan.shared[item];
    partial = store.slot(partial_slot(blockIdx.x, ctas.first));
  }
  const auto write = [&](int32_t head, int32_t element, const SoftmaxPart& part) {
    if (head < heads) write_output(out + head * kHeadDim + element, part);
  };
  constexpr int kQuads = kHeadDim / kQuad;
  for (int quad = threadIdx.x; quad < heads * kQuads; quad += kConsumers) {
    const int head = quad / kQuads, element = quad % kQuads * kQuad;
    const SoftmaxPart part = results.merged(head, element);
    if (whole) {
      write(head, element, part);
    } else {
      store_partial(store, partial, head, element, part);
    }
  }
  if (!whole) merge_item<kConsumers>(store, ctas, blockIdx.x, results.values, results.flag, write);
  named_barrier_sync<kConsumers>();  // all warps have read the results
}

/// The four consumer warps go over the tiles of the CTA, in the order of cta_work.
template <class T, int kHeadDim, class Pipeline>
__device__ __forceinline__ void consume_tiles(const DecodeMmaParams<T>& params, Pipeline& pipeline,
                                              const WarpResults<kHeadDim>& results,
                                              const CtaWork& work) {
  const DecodeInput& input = params.input;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int32_t heads = input.block_heads();
  // Elements from the start of a row to the first head of the block.
  const auto head_offset = [&](const PlanItem& entry, int32_t index) {
    const int32_t kv_head = index - entry.row * input.kv_heads;
    return (static_cast<int64_t>(kv_head) * input.group + input.first_head()) * kHeadDim;
  };
  WarpAttention<T, kHeadDim> attention(warp, lane);
  bool in_tail = work.has_tail;
  int32_t item = in_tail ? work.tail_item : work.first_item;
  int32_t tile = in_tail ? work.body_end : work.begin;
  PlanItem entry = input.plan.items[item];
  attention.load_query(params.q + entry.row * params.q_stride + head_offset(entry, item), heads);
  while (true) {
    const int32_t item_end = entry.first_tile + tiles_of(entry.slots);
    const int32_t stop = min(item_end, work.end);
    const bool last = !in_tail && stop == work.body_end;
    const int32_t next_item = in_tail ? work.first_item : item + 1;
    PlanItem next{};
    if (!last) next = input.plan.items[next_item];
    attention.clear();
    for (; tile < stop; ++tile) {
      const int live = entry.slots - (tile - entry.first_tile) * kTileTokens;
      attention.attend(pipeline.acquire(), min(live, kTileTokens), input.scale_log2);
      pipeline.release();
    }
    attention.leave(results, warp);
    // These loads are in flight during the merge.
    if (!last)
      attention.load_query(params.q + next.row * params.q_stride + head_offset(next, next_item),
                           heads);
    named_barrier_sync<kConsumers>();
    T* out = params.out + entry.row * params.out_stride + head_offset(entry, item);
    finish_item<T, kHeadDim>(params, results, item, out,
                             entry.first_tile >= work.begin && item_end <= work.end);
    if (last) return;
    if (in_tail) tile = work.begin;
    in_tail = false;
    entry = next;
    item = next_item;
  }
}

template <class T, int kHeadDim>
__global__ void __launch_bounds__(kDecodeMmaThreads, decode_mma_ctas(kHeadDim))
    attention_decode_mma_kernel(const __grid_constant__ DecodeMmaParams<T> params) {
  extern __shared__ __align__(1024) unsigned char decode_mma_shared[];
  using Rows = TileRows<kHeadDim>;
  const PlanView& plan = params.input.plan;
  const int32_t cta = blockIdx.x;
  // When this CTA has no tiles, these entries are left over from an older plan; it then returns
  // below.
  const CtaWork work = cta_work(plan.ctas[cta], plan.ctas[cta + 1]);
  if (cta >= plan.header->ctas) return;
  const int warp = threadIdx.x / 32;
  unsigned char* after_stages = decode_mma_shared + params.stages * Rows::kTileBytes;
  const WarpResults<kHeadDim> results(after_stages);
#if __CUDA_ARCH__ >= 900
  BulkPipeline<kHeadDim> pipeline(shared_address(decode_mma_shared), params.stages,
                                  shared_address(results.flag) + 16);
  if (threadIdx.x == 0) pipeline.init(kConsumerWarps);
  __syncthreads();
  if (warp == kConsumerWarps) {
    pipeline.produce(TileCursor<kHeadDim>(params.input, work));
    return;
  }
#else
  if (warp == kConsumerWarps) return;
  AsyncPipeline<kHeadDim> pipeline(shared_address(decode_mma_shared), params.stages,
                                   warp * kWarpTokens, kWarpTokens,
                                   TileCursor<kHeadDim>(params.input, work));
#endif
  consume_tiles<T, kHeadDim>(params, pipeline, results, work);
}

}  // namespace moa::cuda
