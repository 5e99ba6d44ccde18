#pragma once
// The layout of shared memory in prefill/wgmma.cu, and the producer thread that fills it. TMA
// copies queries, keys and values into tiles that wgmma reads; "full" and "empty" barriers hand
// them over. A tile consists of columns of boxes, 64 elements wide; a row of a box is 128 bytes,
// swizzled.
#include "cuda/device/barrier.cuh"
#include "cuda/device/mma.cuh"
#include "cuda/device/tma.cuh"
#include "cuda/device/wgmma_tiles.cuh"
#include "cuda/prefill/launch.h"

namespace moa::cuda::wgmma_tiles {

constexpr int kPairKeys = 2 * kKeyBlock;
static_assert(kTmaBoxRows == kKeyBlock);

struct TensorMaps {
  CUtensorMap q, keys, values;
};

template <int kConsumerGroups, int kRingStages>
struct Barriers {
  uint64_t keys_full[kRingStages], keys_empty[kRingStages];
  uint64_t values_full[kRingStages], values_empty[kRingStages];
  uint64_t queries_full[kConsumerGroups], queries_empty[kConsumerGroups];
  PrefillItem items[kConsumerGroups];  // handed over together with the queries
};

/// The layout of a thread block with kConsumerGroups * 64 query rows, kRingStages pairs of keys and
/// as many of values.
template <int kHeadDim, int kConsumerGroups, int kRingStages>
struct Layout {
  static constexpr int kDim = kHeadDim, kGroups = kConsumerGroups, kStages = kRingStages;
  static constexpr int kThreads = kGroupThreads * (1 + kGroups);
  // Registers per thread. The thread block has 384 * 168 (two groups) or 512 * 128 (three).
  static constexpr int kProducerRegisters = kGroups == 2 ? 40 : 32;
  static constexpr int kConsumerRegisters = kGroups == 2 ? 232 : 160;
  static_assert(kGroups == 2 || kGroups == 3);

  static constexpr int kColumns = kDim / kTmaBoxElements;      // columns of boxes
  static constexpr int kQueryBytes = kColumns * kTmaBoxBytes;  // of one group: [columns][64 rows]
  static constexpr int kPairColumnBytes = 2 * kTmaBoxBytes;
  static constexpr int kPairBytes = kColumns * kPairColumnBytes;  // [columns][128 rows]
  static constexpr int kKeysAt = 0;
  static constexpr int kValuesAt = kKeysAt + kStages * kPairBytes;
  static constexpr int kQueriesAt = kValuesAt + kStages * kPairBytes;
  static constexpr int kOutAt = kQueriesAt + kGroups * kQueryBytes;
  static constexpr int kBarriersAt = kOutAt + kGroups * kQueryBytes;
  static constexpr int kSharedBytes = kBarriersAt + sizeof(Barriers<kGroups, kStages>) + kAtomBytes;
};

/// Where the shared memory of this thread block is.
template <class L>
struct Shared {
  char* base;
  uint32_t address;
  Barriers<L::kGroups, L::kStages>* barriers;
};

__device__ __forceinline__ int pairs_of(const PrefillItem& item) {
  return (item.blocks + 1) / 2;
}

template <class L>
struct Producer {
  using PairTurn = Turn<L::kStages>;
  const TensorMaps& maps;
  const Shared<L>& shared;

  __device__ __forceinline__ void load_queries(const PrefillItem& item, uint32_t count) {
    for (int group = 0; group < L::kGroups; ++group) {
      const uint32_t full = shared_address(&shared.barriers->queries_full[group]);
      barrier_wait(shared_address(&shared.barriers->queries_empty[group]), count % 2 ^ 1);
      shared.barriers->items[group] = item;
      barrier_arrive_expect_bytes(full, L::kQueryBytes);
      for (int column = 0; column < L::kColumns; ++column) {
        tma_load(shared.address + L::kQueriesAt + group * L::kQueryBytes + column * kTmaBoxBytes,
                 &maps.q, column * kTmaBoxElements, item.head, item.row + group * kGroupRows, full);
      }
    }
  }
  __device__ __forceinline__ void load_pair(const CUtensorMap& map, int tiles, uint64_t* full,
                                            uint64_t* empty, const PrefillItem& item, int pair,
                                            PairTurn turn) {
    const uint32_t stage = turn.stage(), barrier = shared_address(full + stage);
    const int halves = min(2, item.blocks - 2 * pair);
    barrier_wait(shared_address(empty + stage), turn.parity() ^ 1);
    barrier_arrive_expect_bytes(barrier, halves * L::kColumns * kTmaBoxBytes);
    for (int half = 0; half < halves; ++half) {
      const int32_t row = item.block_row(2 * pair + half);
      for (int column = 0; column < L::kColumns; ++column) {
        tma_load(shared.address + tiles + stage * L::kPairBytes + column * L::kPairColumnBytes +
                     half * kTmaBoxBytes,
                 &map, column * kTmaBoxElements, item.key_head, row, barrier);
      }
    }
  }
  __device__ __forceinline__ void load_values(const PrefillItem& item, int pair, PairTurn turn) {
    load_pair(maps.values, L::kValuesAt, shared.barriers->values_full,
              shared.barriers->values_empty, item, pair, turn);
  }
  __device__ __forceinline__ void run(const PrefillArguments& a) {
    tma_prefetch(&maps.q), tma_prefetch(&maps.keys), tma_prefetch(&maps.values);
    PairTurn keys, values;
    const int32_t begin = a.item_begin[blockIdx.x], end = a.item_begin[blockIdx.x + 1];
    for (int32_t n = begin; n < end; ++n) {
      const PrefillItem item = a.items[n];
      const int pairs = pairs_of(item);
      load_queries(item, n - begin);
      for (int pair = pairs - 1; pair >= 0; --pair, ++keys.count) {
        load_pair(maps.keys, L::kKeysAt, shared.barriers->keys_full, shared.barriers->keys_empty,
                  item, pair, keys);
        if (pair + 1 == pairs) continue;  // consumers need values one pair later than keys
        load_values(item, pair + 1, values);
        ++values.count;
      }
      load_values(item, 0, values);
      ++values.count;
    }
  }
};

template <int kConsumerGroups, int kRingStages>
__device__ __forceinline__ void init_barriers(Barriers<kConsumerGroups, kRingStages>& barriers) {
  for (int stage = 0; stage < kRingStages; ++stage) {
    barrier_init(shared_address(&barriers.keys_full[stage]), 1);
    barrier_init(shared_address(&barriers.values_full[stage]), 1);
    barrier_init(shared_address(&barriers.keys_empty[stage]), kConsumerGroups * kGroupWarps);
    barrier_init(shared_address(&barriers.values_empty[stage]), kConsumerGroups * kGroupWarps);
  }
  for (int group = 0; group < kConsumerGroups; ++group) {
    barrier_init(shared_address(&barriers.queries_full[group]), 1);
    barrier_init(shared_address(&barriers.queries_empty[group]), kGroupWarps);
  }
  barrier_init_fence();
}

}  // namespace moa::cuda::wgmma_tiles
