#pragma once
// What a consumer warpgroup of prefill/wgmma.cu does, except for the order of its steps: waiting
// for queries, keys and values and releasing them, products, masks, and storing its rows of the
// output.
#include "cuda/device/wgmma.cuh"
#include "cuda/prefill/softmax.cuh"
#include "cuda/prefill/wgmma_tiles.cuh"

namespace moa::cuda::wgmma_tiles {

/// One consumer warpgroup. A thread holds rows g and g + 8 of the 16 rows of its warp.
template <class T, class L>
struct Consumer {
  static constexpr int kDim = L::kDim;
  const Shared<L>& shared;
  const int group, warp, lane;
  const float c;  // scale * log2(e)
  Turn<L::kStages> keys, values;
  float scores[64];     // [64 rows, 128 keys]
  float out[kDim / 2];  // [64 rows, kDim]
  uint32_t weights[kPairKeys / 16][4];
  SoftmaxRows rows;

  __device__ __forceinline__ Consumer(const Shared<L>& shared, int group, float c)
      : shared(shared),
        group(group),
        warp(static_cast<int>(threadIdx.x) / 32 % kGroupWarps),
        lane(static_cast<int>(threadIdx.x) % 32),
        c(c) {}

  /// Called by every warp for itself, when its own products are done.
  __device__ __forceinline__ void release(uint64_t* barrier) {
    if (lane == 0) barrier_arrive(shared_address(barrier));
  }
  __device__ __forceinline__ void wait_keys() {
    barrier_wait(shared_address(&shared.barriers->keys_full[keys.stage()]), keys.parity());
  }
  __device__ __forceinline__ void wait_values() {
    barrier_wait(shared_address(&shared.barriers->values_full[values.stage()]), values.parity());
  }
  __device__ __forceinline__ void release_keys() {
    release(&shared.barriers->keys_empty[keys.stage()]);
    ++keys.count;
  }
  __device__ __forceinline__ void release_values() {
    release(&shared.barriers->values_empty[values.stage()]);
    ++values.count;
  }

  /// Issues scores = Q K^T.
  __device__ __forceinline__ void issue_keys() {
    multiply_rows<T, kDim>(scores, shared.address + L::kQueriesAt + group * L::kQueryBytes,
                           kTmaBoxBytes, shared.address + L::kKeysAt + keys.stage() * L::kPairBytes,
                           L::kPairColumnBytes);
  }
  /// Issues out += P V.
  __device__ __forceinline__ void issue_values() {
    add_weighted_rows<T>(out, weights,
                         shared.address + L::kValuesAt + values.stage() * L::kPairBytes,
                         L::kPairColumnBytes);
  }

  /// Whether all rows of the group see all of a pair.
  __device__ __forceinline__ bool sees_all(const PrefillItem& item, int pair) {
    const int32_t first = item.position + group * kGroupRows;
    return item.block_whole(2 * pair, first, kGroupRows) &&
           item.block_whole(2 * pair + 1, first, kGroupRows);
  }
  /// Hides keys from rows that do not see them.
  __device__ __forceinline__ void mask(const PrefillItem& item, int pair) {
    const int32_t first = item.position + group * kGroupRows;
    const int32_t row = first + warp * kWarpRows + lane / 4;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int32_t block = 2 * pair + half;
      if (item.block_whole(block, first, kGroupRows)) continue;
      const int32_t near = row - item.block_position(block) - lane % 4 * 2;
      const int32_t reach = block < item.sink_blocks ? kUnlimitedWindow : item.mask.window;
#pragma unroll
      for (int i = 0; i < 32; ++i) {
        const int32_t distance = near + i / 2 % 2 * 8 - (i / 4 * 8 + i % 2);
        if (distance < 0 || distance >= reach) scores[32 * half + i] = -INFINITY;
      }
    }
  }

  /// In the last pair, overwrites the values that no row sees with zeros. Every group writes all of
  /// them, so each needs to wait only for its own writes.
  __device__ __forceinline__ void clear_values(const PrefillItem& item, int pair) {
    const int count = item.block_keys(2 * pair) + item.block_keys(2 * pair + 1);
    if (count == kPairKeys) return;
    clear_rows<kDim>(shared.base + L::kValuesAt + values.stage() * L::kPairBytes,
                     L::kPairColumnBytes, count, kPairKeys);
    named_barrier_sync(kGroupBarrier + group, kGroupThreads);
  }

  /// Divides by the sums and stores.
  __device__ __forceinline__ void store(const PrefillArguments& a, const PrefillItem& item) {
    const int first = group * kGroupRows + warp * kWarpRows;
    float inverse[2];
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const int row = lane / 4 + 8 * r;
      const float total = quad_sum(rows.sum[r]);
      inverse[r] = __fdividef(1.0f, total);
      if (a.log_sum_exp != nullptr && lane % 4 == 0 && first + row < item.rows) {
        a.log_sum_exp[(int64_t{item.row} + first + row) * a.log_sum_exp_stride + item.head] =
            rows.log_sum_exp(r, c, total);
      }
    }
    store_rows<T, kDim>(
        out, inverse,
        shared.base + L::kOutAt + group * L::kQueryBytes + warp * (kWarpRows * kDim * 2),
        static_cast<T*>(a.out) + (int64_t{item.row} + first) * a.out_stride +
            int64_t{item.head} * kDim,
        a.out_stride, item.rows - first, lane);
    __syncwarp();  // all lanes are done before the next item's rows come
  }

  /// Turns go round the groups. Each group has a barrier for its turn, which the group before it
  /// also uses, to pass the turn on.
  __device__ __forceinline__ void begin_turns() {
    if (group == L::kGroups - 1) named_barrier_arrive(kTurnBarrier, 2 * kGroupThreads);
  }
  __device__ __forceinline__ void await_turn() {
    named_barrier_sync(kTurnBarrier + group, 2 * kGroupThreads);
  }
  __device__ __forceinline__ void pass_turn() {
    named_barrier_arrive(kTurnBarrier + (group + 1) % L::kGroups, 2 * kGroupThreads);
  }

  // Named barriers: each group has one for its turn and one among its own threads.
  static constexpr int kTurnBarrier = 1, kGroupBarrier = kTurnBarrier + L::kGroups;
};

}  // namespace moa::cuda::wgmma_tiles
