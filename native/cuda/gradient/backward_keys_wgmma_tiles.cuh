#pragma once
// The layout of shared memory in gradient/backward_keys_wgmma.cu, the order of its steps over query
// rows, and the producer warp. TMA copies keys and values, then rows of queries and gradOut, into
// tiles that wgmma reads; "full" and "empty" barriers hand them over.
#include "cuda/gradient/wgmma.cuh"

namespace moa::cuda::backward_keys_tiles {

using namespace wgmma_tiles;

constexpr int kStages = 3;  // more than 2: a group may hold two while it skips a third
constexpr int kKeyRows = kGroups * kGroupRows;
constexpr int kStepRows = kTmaBoxRows;  // query rows
static_assert(kStages > 2);

struct Barriers {
  uint64_t keys_full;
  uint64_t full[kStages], empty[kStages];
};

template <int kDim>
struct Layout {
  static constexpr int kTileBytes = kDim / kTmaBoxElements * kTmaBoxBytes;  // [columns][64 rows]
  static constexpr int kKeysAt = 0;                                         // one tile per group
  static constexpr int kValuesAt = kKeysAt + kGroups * kTileBytes;
  static constexpr int kQueriesAt = kValuesAt + kGroups * kTileBytes;  // one tile per stage
  static constexpr int kGradOutAt = kQueriesAt + kStages * kTileBytes;
  static constexpr int kLogSumsAt = kGradOutAt + kStages * kTileBytes;
  static constexpr int kDeltasAt = kLogSumsAt + kStages * kStepRows * 4;
  static constexpr int kBarriersAt = kDeltasAt + kStages * kStepRows * 4;
  static constexpr int kSharedBytes = kBarriersAt + sizeof(Barriers) + kAtomBytes;
};

/// Where the shared memory of this thread block is, and what the block computes.
struct KeyBlock {
  char* base;
  uint32_t address;
  Barriers* barriers;
  int32_t row_start, row_count;  // of the segment
  int32_t first_key;             // within the segment
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

/// The steps of a thread block: over query rows from the diagonal on, for one head after the other.
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

/// Called by one warp, the producer.
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
    barrier_arrive(full);  // every lane arrives for what it wrote
    if (lane == 0) {
      const int32_t row = at.row_start + steps.row;
      const uint32_t tile = at.address + stage * L::kTileBytes;
      barrier_arrive_expect_bytes(full, 2 * L::kTileBytes);
      load_tile<kDim, 1>(tile + L::kQueriesAt, in.q, steps.head, row, full);
      load_tile<kDim, 1>(tile + L::kGradOutAt, in.grad_out, steps.head, row, full);
    }
  }
}

__device__ __forceinline__ void init_barriers(Barriers& barriers) {
  barrier_init(shared_address(&barriers.keys_full), 1);
  for (int stage = 0; stage < kStages; ++stage) {
    // The arrival of the copies, and those of the producer's 32 lanes.
    barrier_init(shared_address(&barriers.full[stage]), 1 + 32);
    barrier_init(shared_address(&barriers.empty[stage]), 32 * kConsumerWarps);
  }
  barrier_init_fence();
}

}  // namespace moa::cuda::backward_keys_tiles
