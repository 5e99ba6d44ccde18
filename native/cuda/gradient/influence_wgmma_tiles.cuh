#pragma once
// The layout of shared memory in gradient/influence_wgmma.cu, the assignment of items to thread
// blocks, and the producer thread. TMA copies query rows, keys and values into tiles that wgmma
// reads; "full" and "empty" barriers hand them over.
#include "cuda/gradient/influence_wgmma_sums.cuh"
#include "cuda/gradient/wgmma.cuh"

namespace moa::cuda::influence_tiles {

using namespace wgmma_tiles;

constexpr int kStages = 4;
constexpr int kWorkspaces = 2;
constexpr int kEffectBins = 8;  // bins whose |E| a warp sums over its lanes at a time
// Warpgroups: one that finishes items, two consumers, and the producer's. 128 * (56 + 24) + 256 *
// 216 registers are as many as 512 threads with 128 each have.
constexpr int kBlockThreads = kGroupThreads * (1 + kGroups + 1);
constexpr int kProducerThread = kGroupThreads * (1 + kGroups);
constexpr int kFinishRegisters = 56, kAddRegisters = 216, kLoadRegisters = 24;
constexpr int kFinishBarrier = 1;  // number of a named barrier
using Workspace = InfluenceWorkspace<kConsumerWarps>;
static_assert(kInfluenceRows == kGroups * kGroupRows && kInfluenceRows == kGroupThreads);
static_assert(kTileKeys == kTmaBoxRows);

struct InfluenceParameters {
  WgmmaOperands in;
  float* partials;      // [blocks, H, 3, bins]
  uint8_t* workspaces;  // kWorkspaces per thread block
  int32_t items, bins, sink;
  float epsilon, log2_shift;  // log2(1 + epsilon)
  SegmentBlocks segments;
};
static_assert(sizeof(InfluenceParameters) <= 4096);

struct Barriers {
  uint64_t rows_full[kGroups], rows_empty[kGroups];
  uint64_t keys_full[kStages], keys_empty[kStages];
  uint64_t work_full[kWorkspaces], work_empty[kWorkspaces];
};

template <int kDim>
struct Layout {
  static constexpr int kTileBytes = kDim / kTmaBoxElements * kTmaBoxBytes;  // [columns][64 rows]
  static constexpr int kQueriesAt = 0;                                      // one tile per group
  static constexpr int kGradOutAt = kQueriesAt + kGroups * kTileBytes;
  static constexpr int kKeysAt = kGradOutAt + kGroups * kTileBytes;  // one tile per stage
  static constexpr int kValuesAt = kKeysAt + kStages * kTileBytes;
  static constexpr int kDominantsAt = kValuesAt + kStages * kTileBytes;  // one float2 per row
  static constexpr int kEffectsAt = kDominantsAt + kInfluenceRows * 8;   // one part per warp
  static constexpr int kBarriersAt = kEffectsAt + kConsumerWarps * kEffectBins * 32 * 4;
  static constexpr int kSharedBytes = kBarriersAt + sizeof(Barriers) + kAtomBytes;
};

/// Where the shared memory of this thread block is.
struct Shared {
  char* base;
  uint32_t address;
  Barriers* barriers;
};

/// An item of work: 128 query rows of one head.
struct Item {
  SegmentBlock at;
  int32_t index, head, first_row, tiles;

  __device__ __forceinline__ Item(const InfluenceParameters& p, int32_t index)
      : at(find_block(p.segments, index / p.in.heads)), index(index), head(index % p.in.heads) {
    // Items with the most tiles come first.
    first_row = (at.blocks - 1 - at.block) * kInfluenceRows;
    tiles = (min(first_row + kInfluenceRows, at.row_count) + kTileKeys - 1) / kTileKeys;
  }
};

/// Calls f(item, n) for the items of this thread block. Items are in order of decreasing cost. They
/// are dealt to the thread blocks forwards and backwards in turn, so that every block gets about
/// the same work.
template <class F>
__device__ __forceinline__ void for_items(const InfluenceParameters& p, F&& f) {
  const auto blocks = static_cast<int32_t>(gridDim.x), block = static_cast<int32_t>(blockIdx.x);
  for (int32_t round = 0;; ++round) {
    const int32_t item = round * blocks + (round % 2 == 0 ? block : blocks - 1 - block);
    if (item >= p.items) break;
    f(Item(p, item), static_cast<uint32_t>(round));
  }
}

__device__ __forceinline__ Workspace workspace(const InfluenceParameters& p, uint32_t n) {
  const auto index = static_cast<int64_t>(blockIdx.x) * kWorkspaces + n;
  return {p.workspaces + index * Workspace::bytes(p.bins), p.bins};
}

/// Called by one thread, the producer.
template <int kDim>
__device__ __forceinline__ void produce(const InfluenceParameters& p, const Shared& shared) {
  using L = Layout<kDim>;
  const WgmmaOperands& in = p.in;
  Turn<kStages> turn;
  for_items(p, [&](const Item& item, uint32_t n) {
    const int32_t row_start = item.at.row_start;
    for (int group = 0; group < kGroups; ++group) {
      const uint32_t full = shared_address(&shared.barriers->rows_full[group]);
      const uint32_t tile = shared.address + group * L::kTileBytes;
      const int32_t row = row_start + item.first_row + group * kGroupRows;
      barrier_wait(shared_address(&shared.barriers->rows_empty[group]), n % 2 ^ 1);
      barrier_arrive_expect_bytes(full, 2 * L::kTileBytes);
      load_tile<kDim, 1>(tile + L::kQueriesAt, in.q, item.head, row, full);
      load_tile<kDim, 1>(tile + L::kGradOutAt, in.grad_out, item.head, row, full);
    }
    const KeyWalk walk = key_walk(p.sink, item.tiles);
    for (int32_t v = 0; v < walk.visits; ++v, ++turn.count) {
      const uint32_t stage = turn.stage(), tile = shared.address + stage * L::kTileBytes;
      const uint32_t full = shared_address(&shared.barriers->keys_full[stage]);
      const int32_t row = row_start + key_visit(walk, v).tile * kTileKeys;
      barrier_wait(shared_address(&shared.barriers->keys_empty[stage]), turn.parity() ^ 1);
      barrier_arrive_expect_bytes(full, 2 * L::kTileBytes);
      load_tile<kDim, 1>(tile + L::kKeysAt, in.k, item.head / in.group, row, full);
      load_tile<kDim, 1>(tile + L::kValuesAt, in.v, item.head / in.group, row, full);
    }
  });
}

__device__ __forceinline__ void init_barriers(Barriers& barriers) {
  for (int group = 0; group < kGroups; ++group) {
    barrier_init(shared_address(&barriers.rows_full[group]), 1);
    barrier_init(shared_address(&barriers.rows_empty[group]), kGroupWarps);
  }
  for (int stage = 0; stage < kStages; ++stage) {
    barrier_init(shared_address(&barriers.keys_full[stage]), 1);
    barrier_init(shared_address(&barriers.keys_empty[stage]), kConsumerWarps);
  }
  for (int slot = 0; slot < kWorkspaces; ++slot) {
    barrier_init(shared_address(&barriers.work_full[slot]), kConsumerWarps);
    barrier_init(shared_address(&barriers.work_empty[slot]), 1);
  }
  barrier_init_fence();
}

}  // namespace moa::cuda::influence_tiles
