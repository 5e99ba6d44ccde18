// gradK and gradV of attention by wgmma and TMA (sm_90a), f16 and bf16, head dims 64 and 128;
// equations in attention_backward_mma.cu.
//
// A block of threads has 128 keys of one KV head and walks over the query rows that see them, 64 a
// step, for one query head of the group after the other. Each of two consumer warpgroups has 64
// keys. Scores are transposed, keys by rows: S^T = K Q^T and G^T = V gradOut^T leave P^T and dS^T
// in registers as they are wanted by gradV += P^T gradOut and gradK += dS^T Q, which read the same
// tiles of Q and gradOut the other way round. Within a warpgroup products are always under way:
// G^T while S becomes P, P^T gradOut while dS is made, and behind dS^T Q comes the next step's S^T.
//
// NaN: query rows past the segment's end (of the next segment, or of nobody) are overwritten with
// zeros; keys past it are rows of their own, which are not stored.
#include "cuda/attention_gradient_wgmma.cuh"

namespace moa::cuda {
namespace {

using namespace wgmma_tiles;

constexpr int kStages = 3;  // more than the two that are held while a third is passed over
constexpr int kKeyRows = kGroups * kGroupRows;
constexpr int kStepRows = kTmaBoxRows;  // query rows
static_assert(kStages > 2);

template <class T>
struct BackwardKeysParams {
  WgmmaOperands in;
  HeadRows<T> grad_k, grad_v;
  SegmentBlocks segments;
  int32_t at_once;  // KV heads
};
static_assert(sizeof(BackwardKeysParams<Half>) <= 4096);

struct Barriers {
  uint64_t keys_full;
  uint64_t full[kStages], empty[kStages];
};

template <int kDim>
struct Layout {
  static constexpr int kTileBytes = kDim / kTmaBoxElements * kTmaBoxBytes;  // [columns][64 rows]
  static constexpr int kKeysAt = 0;                                         // of each group
  static constexpr int kValuesAt = kKeysAt + kGroups * kTileBytes;
  static constexpr int kQueriesAt = kValuesAt + kGroups * kTileBytes;  // of each stage
  static constexpr int kGradOutAt = kQueriesAt + kStages * kTileBytes;
  static constexpr int kLogSumsAt = kGradOutAt + kStages * kTileBytes;
  static constexpr int kDeltasAt = kLogSumsAt + kStages * kStepRows * 4;
  static constexpr int kBarriersAt = kDeltasAt + kStages * kStepRows * 4;
  static constexpr int kSharedBytes = kBarriersAt + sizeof(Barriers) + kAtomBytes;
};

/// Where things are for this block of threads, and what it does.
struct KeyBlock {
  char* base;
  uint32_t address;
  Barriers* barriers;
  int32_t row_start, row_count;  // of the segment
  int32_t first_key;             // of the segment's rows
  int32_t kv_head;

  template <int kDim>
  __device__ float* log_sums(uint32_t stage) const {
    return reinterpret_cast<float*>(base + Layout<kDim>::kLogSumsAt) + stage * kStepRows;
  }
  template <int kDim>
  __device__ float* deltas(uint32_t stage) const {
    return reinterpret_cast<float*>(base + Layout<kDim>::kDeltasAt) + stage * kStepRows;
  }
};

/// Steps over rows from the diagonal on, for one head after the other.
struct Steps {
  int32_t first_row, row_count;
  int32_t row, head, left;

  __device__ __forceinline__ Steps(const KeyBlock& at, int32_t group)
      : first_row(at.first_key),
        row_count(at.row_count),
        row(at.first_key),
        head(at.kv_head * group),
        left((at.row_count - at.first_key + kStepRows - 1) / kStepRows * group) {}
  __device__ __forceinline__ void next() {
    --left;
    row += kStepRows;
    if (row >= row_count) row = first_row, ++head;
  }
};

/// One warp.
template <int kDim>
__device__ __forceinline__ void produce(const WgmmaOperands& in, const KeyBlock& at) {
  using L = Layout<kDim>;
  const int lane = static_cast<int>(threadIdx.x);
  if (lane == 0) {
    const uint32_t full = shared_address(&at.barriers->keys_full);
    barrier_arrive_expect_bytes(full, 2 * kGroups * L::kTileBytes);
    for (int group = 0; group < kGroups; ++group) {
      const int32_t row = at.row_start + at.first_key + group * kGroupRows;
      const uint32_t tile = at.address + group * L::kTileBytes;
      load_tile<kDim, 1>(tile + L::kKeysAt, in.k, at.kv_head, row, full);
      load_tile<kDim, 1>(tile + L::kValuesAt, in.v, at.kv_head, row, full);
    }
  }
  Turn<kStages> turn;
  for (Steps steps(at, in.group); steps.left > 0; steps.next(), ++turn.count) {
    const uint32_t stage = turn.stage(), full = shared_address(&at.barriers->full[stage]);
    const float2 low = in.row_sums(steps.head, at.row_start, steps.row + lane, at.row_count);
    const float2 high = in.row_sums(steps.head, at.row_start, steps.row + 32 + lane, at.row_count);
    barrier_wait(shared_address(&at.barriers->empty[stage]), turn.parity() ^ 1);
    float* log_sums = at.log_sums<kDim>(stage) + lane;
    float* deltas = at.deltas<kDim>(stage) + lane;
    log_sums[0] = low.x, log_sums[32] = high.x;
    deltas[0] = low.y, deltas[32] = high.y;
    __syncwarp();
    if (lane == 0) {
      const int32_t row = at.row_start + steps.row;
      const uint32_t tile = at.address + stage * L::kTileBytes;
      barrier_arrive_expect_bytes(full, 2 * L::kTileBytes);
      load_tile<kDim, 1>(tile + L::kQueriesAt, in.q, steps.head, row, full);
      load_tile<kDim, 1>(tile + L::kGradOutAt, in.grad_out, steps.head, row, full);
    }
  }
}

/// One of the warpgroups that compute; a thread holds keys g and g + 8 of its warp's 16.
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
  /// Every warp lets go for itself, once its own products are done.
  __device__ __forceinline__ void release(uint32_t stage) {
    if (lane == 0) barrier_arrive(shared_address(&at.barriers->empty[stage]));
  }
  __device__ __forceinline__ uint32_t tile(int tiles_at) const {
    return at.address + tiles_at + turn.stage() * L::kTileBytes;
  }

  /// Passes over a step of which no row sees a key of the group: the first of a head at most, but
  /// for a group whose keys all lie past the segment's end.
  __device__ __forceinline__ void pass() {
    wait_full();
    release(turn.stage());
    steps.next(), ++turn.count;
  }
  /// Issues S^T = K Q^T of the step, whose rows past the segment's end become zeros. Both groups
  /// write them; each waits for its own writes only.
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

  /// Scores become P^T, in place.
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
  /// Gradients become dS^T = P^T (G^T - delta), in place.
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

  /// From S^T under way to gradV and gradK under way.
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
    // Nobody waits for the last stage.
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
    // The group's keys and values have been read, by all its warps: their place is free.
    named_barrier_sync(kGroupBarrier + group, kGroupThreads);
    store(p.grad_k, key_sums, p.in.scale, L::kKeysAt);
    store(p.grad_v, value_sums, 1.0f, L::kValuesAt);
  }

  static constexpr int kGroupBarrier = 1;  // named, one of each group
};

__device__ __forceinline__ void init_barriers(Barriers& barriers) {
  barrier_init(shared_address(&barriers.keys_full), 1);
  for (int stage = 0; stage < kStages; ++stage) {
    barrier_init(shared_address(&barriers.full[stage]), 1);
    barrier_init(shared_address(&barriers.empty[stage]), kConsumerWarps);
  }
  barrier_init_fence();
}

/// Grid: blocks of 128 keys of all segments * KV heads.
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
    at.first_key = segment.block * kKeyRows;  // the longest first
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
