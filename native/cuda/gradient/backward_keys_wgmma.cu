// q, gradOut [T, H, D], k, v [T, Hkv, D], row sums [H, T] (gradient/row_sums.cu) -> gradK, gradV
// [T, Hkv, D] of attention by wgmma and TMA (sm_90a), in f16 and bf16, for head dims 64 and 128.
// The equations are in gradient/backward_mma.cu.
//
// A thread block takes 128 keys of one KV head and goes over the query rows that see them, 64 per
// step, for one query head of the group after the other. Each of two consumer warpgroups has 64
// keys. Scores are transposed (keys x query rows): S^T = K Q^T and G^T = V gradOut^T leave P^T and
// dS^T in registers in the layout of the A operand of gradV += P^T gradOut and gradK += dS^T Q.
// These two products read the same tiles of Q and gradOut, transposed. Within a warpgroup the
// tensor cores always have a product to compute: G^T while S becomes P, P^T gradOut while dS is
// computed, and S^T of the next step right after dS^T Q.
//
// NaN: query rows past the end of the segment (which belong to the next segment, or to none) are
// overwritten with zeros. Keys past the end have output rows of their own, which are not stored.
// Measured: reports/cuda/2026-11-24-h200
#include "cuda/gradient/backward_keys_wgmma_tiles.cuh"

namespace moa::cuda {
namespace {

using namespace wgmma_tiles;
using namespace backward_keys_tiles;

template <class T>
struct BackwardKeysParams {
  WgmmaOperands in;
  HeadRows<T> grad_k, grad_v;  // [T, Hkv, D]
  SegmentBlocks segments;
  int32_t at_once;  // KV heads that run at the same time
};
static_assert(sizeof(BackwardKeysParams<Half>) <= 4096);

/// One consumer warpgroup. A thread holds keys g and g + 8 of the 16 keys of its warp.
template <class T, int kDim>
struct Consumer {
  using L = Layout<kDim>;
  const KeyBlock& at;
  const int group, warp, lane;
  const int32_t first_key;
  const float to_log2;
  Turn<kStages> turn;
  Steps steps;
  float scores[kStepRows / 2], gradients[kStepRows / 2];  // [64 keys, 64 rows]
  float key_sums[kDim / 2], value_sums[kDim / 2];         // [64 keys, kDim]
  uint32_t weights[kStepRows / 16][4], changes[kStepRows / 16][4];

  __device__ __forceinline__ Consumer(const WgmmaOperands& in, const KeyBlock& at)
      : at(at),
        group(warp_uniform_group()),
        warp(static_cast<int>(threadIdx.x) / 32 % kGroupWarps),
        lane(static_cast<int>(threadIdx.x) % 32),
        first_key(at.first_key + group * kGroupRows),
        to_log2(in.to_log2),
        steps(at, in.group) {}

  __device__ __forceinline__ void wait_full() {
    barrier_wait(shared_address(&at.barriers->full[turn.stage()]), turn.parity());
  }
  /// Called by every warp for itself, when its own products are done.
  __device__ __forceinline__ void release(uint32_t stage) {
    barrier_arrive(shared_address(&at.barriers->empty[stage]));
  }
  __device__ __forceinline__ uint32_t tile(int tiles_at) const {
    return at.address + tiles_at + turn.stage() * L::kTileBytes;
  }

  /// Skips a step in which no row sees a key of the group. This happens at most in the first step
  /// of a head, except in a group whose keys are all past the end of the segment.
  __device__ __forceinline__ void pass() {
    wait_full();
    release(turn.stage());
    steps.next(), ++turn.count;
  }
  /// Issues S^T = K Q^T of the step. Rows past the end of the segment become zeros first. Both
  /// groups write these zeros, so each needs to wait only for its own writes.
  __device__ __forceinline__ void issue_scores() {
    wait_full();
    const int32_t rows = at.row_count - steps.row;
    if (rows < kStepRows) {
      char* tile = at.base + turn.stage() * L::kTileBytes;
      clear_rows<kDim>(tile + L::kQueriesAt, kTmaBoxBytes, rows, kStepRows);
      clear_rows<kDim>(tile + L::kGradOutAt, kTmaBoxBytes, rows, kStepRows);
      named_barrier_sync(kGroupBarrier + group, kGroupThreads);
    }
    multiply_rows<T, kDim>(scores, at.address + L::kKeysAt + group * L::kTileBytes, kTmaBoxBytes,
                           tile(L::kQueriesAt), kTmaBoxBytes);
  }
  /// Issues G^T = V gradOut^T.
  __device__ __forceinline__ void issue_gradients() {
    multiply_rows<T, kDim>(gradients, at.address + L::kValuesAt + group * L::kTileBytes,
                           kTmaBoxBytes, tile(L::kGradOutAt), kTmaBoxBytes);
  }

  /// Turns scores into P^T, in place.
  __device__ __forceinline__ void weigh() {
    const float* log_sums = at.log_sums<kDim>(turn.stage()) + lane % 4 * 2;
#pragma unroll
    for (int i = 0; i < kStepRows / 2; i += 4) {
      const float2 rows = *reinterpret_cast<const float2*>(log_sums + 2 * i);
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        scores[i + e] =
            exp2_approximate(fmaf(scores[i + e], to_log2, e % 2 == 0 ? -rows.x : -rows.y));
      }
    }
    if (steps.row != first_key) return;
    const int key = warp * kWarpRows + lane / 4 - lane % 4 * 2;
#pragma unroll
    for (int i = 0; i < kStepRows / 2; ++i) {
      if (key + i / 2 % 2 * 8 > i / 4 * 8 + i % 2) scores[i] = 0;
    }
  }
  /// Turns gradients into dS^T = P^T (G^T - delta), in place.
  __device__ __forceinline__ void differentiate() {
    const float* deltas = at.deltas<kDim>(turn.stage()) + lane % 4 * 2;
#pragma unroll
    for (int i = 0; i < kStepRows / 2; i += 4) {
      const float2 rows = *reinterpret_cast<const float2*>(deltas + 2 * i);
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        gradients[i + e] = scores[i + e] * (gradients[i + e] - (e % 2 == 0 ? rows.x : rows.y));
      }
    }
  }

  /// One step. At the start S^T has been issued; at the end the products of gradV and gradK have
  /// been.
  __device__ __forceinline__ void add_step() {
    issue_gradients();
    wgmma_wait<1>(scores);
    weigh();
    pack_operand<T>(scores, weights);
    add_weighted_rows<T>(value_sums, weights, tile(L::kGradOutAt), kTmaBoxBytes);
    wgmma_wait<1>(gradients);
    differentiate();
    pack_operand<T>(gradients, changes);
    add_weighted_rows<T>(key_sums, changes, tile(L::kQueriesAt), kTmaBoxBytes);
  }

  __device__ __forceinline__ void sum() {
#pragma unroll
    for (int i = 0; i < kDim / 2; ++i) key_sums[i] = value_sums[i] = 0;
    if (first_key >= at.row_count) {
      while (steps.left > 0) pass();
      return;
    }
    barrier_wait(shared_address(&at.barriers->keys_full), 0);
    if (group > 0) pass();
    issue_scores();
    while (true) {
      add_step();
      const uint32_t stage = turn.stage();
      steps.next(), ++turn.count;
      if (steps.left == 0) break;
      if (steps.row < first_key) pass();
      issue_scores();
      wgmma_wait<1>(key_sums);
      release(stage);
    }
    wgmma_wait<0>(key_sums);
    wgmma_wait<0>(value_sums);
    // The last stage need not be released: the producer does not wait for it.
  }

  __device__ __forceinline__ void store(const HeadRows<T>& to, const float (&sums)[kDim / 2],
                                        float factor, int stage_at) {
    const float factors[2] = {factor, factor};
    const int32_t first = first_key + warp * kWarpRows;
    store_rows<T, kDim>(sums, factors,
                        at.base + stage_at + group * L::kTileBytes + warp * (kWarpRows * kDim * 2),
                        to.row(at.row_start + first, int64_t{at.kv_head} * kDim), to.stride,
                        at.row_count - first, lane);
  }

  __device__ __forceinline__ void run(const BackwardKeysParams<T>& p) {
    sum();
    // All warps of the group have read its keys and values, so their memory can hold the outputs.
    named_barrier_sync(kGroupBarrier + group, kGroupThreads);
    store(p.grad_k, key_sums, p.in.scale, L::kKeysAt);
    store(p.grad_v, value_sums, 1.0f, L::kValuesAt);
  }

  static constexpr int kGroupBarrier = 1;  // first of the named barriers, one per group
};

/// Grid: one thread block per block of 128 keys and KV head, over all segments.
template <class T, int kDim>
__global__ void __launch_bounds__(kThreads, 1)
    attention_backward_keys_wgmma_kernel(const __grid_constant__ BackwardKeysParams<T> p) {
  if constexpr (kHasWgmma) {
    extern __shared__ char unaligned[];
    const HeadBlock mine = head_block(static_cast<int32_t>(blockIdx.x), p.in.heads / p.in.group,
                                      p.segments.blocks, p.at_once);
    const SegmentBlock segment = find_block(p.segments, mine.block);
    KeyBlock at;
    at.base = aligned_to_atom(unaligned);
    at.address = shared_address(at.base);
    at.barriers = reinterpret_cast<Barriers*>(at.base + Layout<kDim>::kBarriersAt);
    at.row_start = segment.row_start, at.row_count = segment.row_count;
    at.first_key = segment.block * kKeyRows;  // blocks with the most steps come first
    at.kv_head = mine.head;
    if (threadIdx.x == 0) init_barriers(*at.barriers);
    __syncthreads();
    if (threadIdx.x < kGroupThreads) {
      registers_decrease<kGradientProducerRegisters>();
      if (threadIdx.x < 32) produce<kDim>(p.in, at);
    } else {
      registers_increase<kGradientConsumerRegisters>();
      Consumer<T, kDim>(p.in, at).run(p);
    }
  }
}

}  // namespace

void attention_backward_keys_wgmma(Context& context, const AttentionBackwardParams& params,
                                   const WgmmaOperands& in) {
  with_wgmma_shape(params.q.dtype, in.head_dim, [&]<class T, int kDim>() {
    BackwardKeysParams<T> p{in, head_rows<T>(params.grad_k), head_rows<T>(params.grad_v), {}, 1};
    const auto kernel = attention_backward_keys_wgmma_kernel<T, kDim>;
    constexpr int kBytes = Layout<kDim>::kSharedBytes;
    allow_shared_bytes(kernel, kBytes);
    for (const SegmentBlocks& launch : segment_blocks(params.segments, kKeyRows, INT32_MAX)) {
      p.segments = launch;
      p.at_once = heads_at_once(context, int64_t{launch.longest} * in.group, kDim);
      const int32_t blocks = launch.blocks * (in.heads / in.group);
      kernel<<<blocks, kThreads, kBytes, context.stream>>>(p);
      MOA_CUDA_CHECK_LAUNCH();
    }
  });
}

}  // namespace moa::cuda
