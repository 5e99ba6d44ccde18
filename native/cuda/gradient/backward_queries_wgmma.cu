// q, gradOut [T, H, D], k, v [T, Hkv, D], row sums [H, T] (gradient/row_sums.cu) -> gradQ [T, H, D]
// of attention by wgmma and TMA (sm_90a), in f16 and bf16, for head dims 64 and 128. The equations
// are in gradient/backward_mma.cu.
//
// A thread block takes 128 query rows of one head, 64 in each of two consumer warpgroups, and goes
// over the keys that they see, 128 per step. S = Q K^T and G = gradOut V^T leave dS in registers in
// the layout of the A operand of gradQ += dS K, which reads the same tile of keys, transposed.
// Within a warpgroup S becomes P while G is computed, and S of the next step comes right after dS
// K.
//
// NaN: keys past the end of the segment (which belong to the next segment, or to none) are
// overwritten with zeros, and their part of dS is masked. Query rows past the end have output rows
// of their own, which are not stored.
// Measured: reports/cuda/2026-11-24-h200
#include "cuda/gradient/wgmma.cuh"

namespace moa::cuda {
namespace {

using namespace wgmma_tiles;

constexpr int kStages = 2;
constexpr int kQueryRows = kGroups * kGroupRows;
constexpr int kStepBoxes = 2, kStepKeys = kStepBoxes * kTmaBoxRows;
static_assert(kStepKeys == kQueryRows);  // the last step is the diagonal

template <class T>
struct BackwardQueriesParams {
  WgmmaOperands in;
  HeadRows<T> grad_q;  // [T, H, D]
  SegmentBlocks segments;
  int32_t at_once;  // heads that run at the same time
};
static_assert(sizeof(BackwardQueriesParams<Half>) <= 4096);

struct Barriers {
  uint64_t queries_full;
  uint64_t keys_full[kStages], keys_empty[kStages];
  uint64_t values_full[kStages], values_empty[kStages];
};

template <int kDim>
struct Layout {
  static constexpr int kRowsBytes = kDim / kTmaBoxElements * kTmaBoxBytes;  // [columns][64 rows]
  static constexpr int kKeyColumnBytes = kStepBoxes * kTmaBoxBytes;
  static constexpr int kKeyBytes = kDim / kTmaBoxElements * kKeyColumnBytes;  // [columns][128 keys]
  static constexpr int kQueriesAt = 0;                                        // one per group
  static constexpr int kGradOutAt = kQueriesAt + kGroups * kRowsBytes;
  static constexpr int kKeysAt = kGradOutAt + kGroups * kRowsBytes;  // one tile per stage
  static constexpr int kValuesAt = kKeysAt + kStages * kKeyBytes;
  static constexpr int kBarriersAt = kValuesAt + kStages * kKeyBytes;
  static constexpr int kSharedBytes = kBarriersAt + sizeof(Barriers) + kAtomBytes;
};

/// Where the shared memory of this thread block is, and what the block computes.
struct QueryBlock {
  char* base;
  uint32_t address;
  Barriers* barriers;
  int32_t row_start, row_count;  // of the segment
  int32_t first_row;             // within the segment
  int32_t steps;
  int32_t head;
};

/// Called by one thread, the producer.
template <int kDim>
__device__ __forceinline__ void produce(const WgmmaOperands& in, const QueryBlock& at) {
  using L = Layout<kDim>;
  const uint32_t rows_full = shared_address(&at.barriers->queries_full);
  const int32_t key_head = at.head / in.group;
  barrier_arrive_expect_bytes(rows_full, 2 * kGroups * L::kRowsBytes);
  for (int group = 0; group < kGroups; ++group) {
    const int32_t row = at.row_start + at.first_row + group * kGroupRows;
    const uint32_t tile = at.address + group * L::kRowsBytes;
    load_tile<kDim, 1>(tile + L::kQueriesAt, in.q, at.head, row, rows_full);
    load_tile<kDim, 1>(tile + L::kGradOutAt, in.grad_out, at.head, row, rows_full);
  }
  Turn<kStages> turn;
  for (; turn.count < static_cast<uint32_t>(at.steps); ++turn.count) {
    const int32_t row = at.row_start + static_cast<int32_t>(turn.count) * kStepKeys;
    const uint32_t stage = turn.stage(), tile = at.address + stage * L::kKeyBytes;
    const uint32_t keys_full = shared_address(&at.barriers->keys_full[stage]),
                   values_full = shared_address(&at.barriers->values_full[stage]);
    barrier_wait(shared_address(&at.barriers->keys_empty[stage]), turn.parity() ^ 1);
    barrier_arrive_expect_bytes(keys_full, L::kKeyBytes);
    load_tile<kDim, kStepBoxes>(tile + L::kKeysAt, in.k, key_head, row, keys_full);
    barrier_wait(shared_address(&at.barriers->values_empty[stage]), turn.parity() ^ 1);
    barrier_arrive_expect_bytes(values_full, L::kKeyBytes);
    load_tile<kDim, kStepBoxes>(tile + L::kValuesAt, in.v, key_head, row, values_full);
  }
}

/// One consumer warpgroup. A thread holds rows g and g + 8 of the 16 rows of its warp.
template <class T, int kDim>
struct Consumer {
  using L = Layout<kDim>;
  const QueryBlock& at;
  const int group, warp, lane;
  const float to_log2;
  float log_sum[2], delta[2];
  Turn<kStages> turn;
  float scores[kStepKeys / 2], gradients[kStepKeys / 2];  // [64 rows, 128 keys]
  float sums[kDim / 2];                                   // [64 rows, kDim]
  uint32_t changes[kStepKeys / 16][4];

  __device__ __forceinline__ Consumer(const WgmmaOperands& in, const QueryBlock& at)
      : at(at),
        group(warp_uniform_group()),
        warp(static_cast<int>(threadIdx.x) / 32 % kGroupWarps),
        lane(static_cast<int>(threadIdx.x) % 32),
        to_log2(in.to_log2) {
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const int32_t row = first_row() + lane / 4 + 8 * r;
      const float2 x = in.row_sums(at.head, at.row_start, row, at.row_count);
      log_sum[r] = x.x, delta[r] = x.y;
    }
  }

  /// The first row of the warp, within the segment.
  __device__ __forceinline__ int32_t first_row() const {
    return at.first_row + group * kGroupRows + warp * kWarpRows;
  }
  __device__ __forceinline__ void wait(uint64_t* full) {
    barrier_wait(shared_address(full + turn.stage()), turn.parity());
  }
  /// Called by every warp for itself, when its own products are done.
  __device__ __forceinline__ void release(uint64_t* empty, uint32_t stage) {
    if (lane == 0) barrier_arrive(shared_address(empty + stage));
  }
  __device__ __forceinline__ bool diagonal() const {
    return turn.count + 1 == static_cast<uint32_t>(at.steps);
  }

  /// Issues S = Q K^T of the step. Keys past the end of the segment become zeros first. Both groups
  /// write these zeros, so each needs to wait only for its own writes.
  __device__ __forceinline__ void issue_scores() {
    wait(at.barriers->keys_full);
    const int keys_at = L::kKeysAt + turn.stage() * L::kKeyBytes;
    const int32_t keys = at.row_count - static_cast<int32_t>(turn.count) * kStepKeys;
    if (keys < kStepKeys) {
      clear_rows<kDim>(at.base + keys_at, L::kKeyColumnBytes, keys, kStepKeys);
      named_barrier_sync(kGroupBarrier + group, kGroupThreads);
    }
    multiply_rows<T, kDim>(scores, at.address + L::kQueriesAt + group * L::kRowsBytes, kTmaBoxBytes,
                           at.address + keys_at, L::kKeyColumnBytes);
  }
  /// Issues G = gradOut V^T.
  __device__ __forceinline__ void issue_gradients() {
    wait(at.barriers->values_full);
    multiply_rows<T, kDim>(gradients, at.address + L::kGradOutAt + group * L::kRowsBytes,
                           kTmaBoxBytes, at.address + L::kValuesAt + turn.stage() * L::kKeyBytes,
                           L::kKeyColumnBytes);
  }

  /// In the last step, sets elements to zero where a row does not see a key.
  __device__ __forceinline__ void mask(float (&x)[kStepKeys / 2]) {
    if (!diagonal()) return;
    const int near = group * kGroupRows + warp * kWarpRows + lane / 4 - lane % 4 * 2;
#pragma unroll
    for (int i = 0; i < kStepKeys / 2; ++i) {
      if (i / 4 * 8 + i % 2 > near + i / 2 % 2 * 8) x[i] = 0;
    }
  }
  /// Turns scores into P, in place. The mask of dS alone would be enough for the result; this one
  /// is here because its branch needs every P, which keeps ptxas from moving the computation of P
  /// behind the wait for G.
  __device__ __forceinline__ void weigh() {
#pragma unroll
    for (int i = 0; i < kStepKeys / 2; ++i) {
      scores[i] = exp2_approximate(fmaf(scores[i], to_log2, -log_sum[i / 2 % 2]));
    }
    mask(scores);
  }
  /// Turns gradients into dS = P (G - delta), in place. Masked again, because 0 * G may be NaN.
  __device__ __forceinline__ void differentiate() {
#pragma unroll
    for (int i = 0; i < kStepKeys / 2; ++i) {
      gradients[i] = scores[i] * (gradients[i] - delta[i / 2 % 2]);
    }
    mask(gradients);
  }

  /// One step. At the start S has been issued; at the end the product of gradQ has been.
  __device__ __forceinline__ void add_step() {
    issue_gradients();
    wgmma_wait<1>(scores);
    weigh();
    wgmma_wait<0>(gradients);
    release(at.barriers->values_empty, turn.stage());
    differentiate();
    pack_operand<T>(gradients, changes);
    add_weighted_rows<T>(sums, changes, at.address + L::kKeysAt + turn.stage() * L::kKeyBytes,
                         L::kKeyColumnBytes);
  }

  __device__ __forceinline__ void sum() {
#pragma unroll
    for (int i = 0; i < kDim / 2; ++i) sums[i] = 0;
    barrier_wait(shared_address(&at.barriers->queries_full), 0);
    issue_scores();
    while (true) {
      add_step();
      if (diagonal()) break;
      const uint32_t stage = turn.stage();
      ++turn.count;
      issue_scores();
      wgmma_wait<1>(sums);
      release(at.barriers->keys_empty, stage);
    }
    wgmma_wait<0>(sums);
  }

  __device__ __forceinline__ void run(const BackwardQueriesParams<T>& p) {
    sum();
    // All warps of the group have read its queries, so their memory can hold the output.
    named_barrier_sync(kGroupBarrier + group, kGroupThreads);
    const float factors[2] = {p.in.scale, p.in.scale};
    const int32_t first = first_row();
    store_rows<T, kDim>(
        sums, factors,
        at.base + L::kQueriesAt + group * L::kRowsBytes + warp * (kWarpRows * kDim * 2),
        p.grad_q.row(at.row_start + first, int64_t{at.head} * kDim), p.grad_q.stride,
        at.row_count - first, lane);
  }

  static constexpr int kGroupBarrier = 1;  // first of the named barriers, one per group
};

__device__ __forceinline__ void init_barriers(Barriers& barriers) {
  barrier_init(shared_address(&barriers.queries_full), 1);
  for (int stage = 0; stage < kStages; ++stage) {
    barrier_init(shared_address(&barriers.keys_full[stage]), 1);
    barrier_init(shared_address(&barriers.values_full[stage]), 1);
    barrier_init(shared_address(&barriers.keys_empty[stage]), kConsumerWarps);
    barrier_init(shared_address(&barriers.values_empty[stage]), kConsumerWarps);
  }
  barrier_init_fence();
}

/// Grid: one thread block per block of 128 rows and head, over all segments.
template <class T, int kDim>
__global__ void __launch_bounds__(kThreads, 1)
    attention_backward_queries_wgmma_kernel(const __grid_constant__ BackwardQueriesParams<T> p) {
  if constexpr (kHasWgmma) {
    extern __shared__ char unaligned[];
    const HeadBlock mine =
        head_block(static_cast<int32_t>(blockIdx.x), p.in.heads, p.segments.blocks, p.at_once);
    const SegmentBlock segment = find_block(p.segments, mine.block);
    QueryBlock at;
    at.base = aligned_to_atom(unaligned);
    at.address = shared_address(at.base);
    at.barriers = reinterpret_cast<Barriers*>(at.base + Layout<kDim>::kBarriersAt);
    at.row_start = segment.row_start, at.row_count = segment.row_count;
    at.steps = segment.blocks - segment.block;  // blocks with the most steps come first
    at.first_row = (at.steps - 1) * kQueryRows;
    at.head = mine.head;
    if (threadIdx.x == 0) init_barriers(*at.barriers);
    __syncthreads();
    if (threadIdx.x < kGroupThreads) {
      registers_decrease<kGradientProducerRegisters>();
      if (threadIdx.x == 0) produce<kDim>(p.in, at);
    } else {
      registers_increase<kGradientConsumerRegisters>();
      Consumer<T, kDim>(p.in, at).run(p);
    }
  }
}

}  // namespace

void attention_backward_queries_wgmma(Context& context, const AttentionBackwardParams& params,
                                      const WgmmaOperands& in) {
  with_wgmma_shape(params.q.dtype, in.head_dim, [&]<class T, int kDim>() {
    BackwardQueriesParams<T> p{in, head_rows<T>(params.grad_q), {}, 1};
    const auto kernel = attention_backward_queries_wgmma_kernel<T, kDim>;
    constexpr int kBytes = Layout<kDim>::kSharedBytes;
    allow_shared_bytes(kernel, kBytes);
    for (const SegmentBlocks& launch : segment_blocks(params.segments, kQueryRows, INT32_MAX)) {
      p.segments = launch;
      p.at_once = heads_at_once(context, launch.longest, kDim) * in.group;
      kernel<<<launch.blocks * in.heads, kThreads, kBytes, context.stream>>>(p);
      MOA_CUDA_CHECK_LAUNCH();
    }
  });
}

void attention_backward_wgmma(Context& context, const AttentionBackwardParams& params) {
  const WgmmaOperands in = wgmma_operands(context, params);
  attention_backward_keys_wgmma(context, params, in);
  attention_backward_queries_wgmma(context, params, in);
}

}  // namespace moa::cuda
