#pragma once
// The order of work for head dim 64. There a pair of blocks takes as many cycles of the special
// function unit (2^x) as of the tensor cores, so everything else in the softmax adds to the time.
//
// Weights are first computed with the maxima so far, without a search for larger scores. The sum of
// the weights, which is needed anyway, shows when a score has outgrown the maxima (kOutgrown). Only
// then are the new maxima searched for and the weights computed again.
//
// This needs the scores to remain after the weights are computed. So weights are packed at once
// into registers that P V of the last pair reads, and they cannot be computed while that product
// runs; products of the other two groups run meanwhile.
#include "cuda/prefill/wgmma_consumer.cuh"

namespace moa::cuda::wgmma_tiles {

/// A thread's 32 weights of a row have at most this sum as long as none exceeds 2^kSlack. While the
/// sum is at most this, no weight overflows f16.
constexpr float kOutgrown = kPairKeys / 4 * (1 << static_cast<int>(kSlack));
static_assert(kOutgrown < 65504);

/// Computes packed weights and the thread's sums of them. The scores stay as they are.
template <class T, class L>
__device__ __forceinline__ void weigh(Consumer<T, L>& own, float (&sum)[2]) {
  const float base[2] = {own.rows.base(0, own.c), own.rows.base(1, own.c)};
  sum[0] = sum[1] = 0;
#pragma unroll
  for (int step = 0; step < kPairKeys / 16; ++step) {
#pragma unroll
    for (int i = 0; i < 8; i += 2) {
      float pair[2];
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        const float x = fmaf(own.scores[8 * step + i + j], own.c, -base[i / 2 % 2]);
        pair[j] = exp2_approximate(x);
        sum[i / 2 % 2] += pair[j];
      }
      own.weights[step][i / 2] = pack_pair<T>(pair[0], pair[1]);
    }
  }
}

/// The same, after the maxima have been raised to the scores of this pair.
template <class T, class L>
__device__ __forceinline__ void weigh_exactly(Consumer<T, L>& own, float (&sum)[2]) {
  float largest[2] = {-INFINITY, -INFINITY}, shrink[2];
#pragma unroll
  for (int i = 0; i < 64; ++i) largest[i / 2 % 2] = fmaxf(largest[i / 2 % 2], own.scores[i]);
  if (own.rows.raise(largest, own.c, shrink)) {
#pragma unroll
    for (int i = 0; i < L::kDim / 2; ++i) own.out[i] *= shrink[i / 2 % 2];
  }
  weigh(own, sum);
}

/// Computes the weights of a pair; no product of this group may be running. The exact way is also
/// taken where a sum is NaN, and for rows that have seen no key before.
template <class T, class L>
__device__ __forceinline__ void weigh_optimistically(Consumer<T, L>& own, bool first) {
  float sum[2];
  bool outgrown = first;
  if (!first) {
    weigh(own, sum);
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      outgrown |= !(sum[r] <= kOutgrown) || own.rows.largest[r] == -INFINITY;
    }
  }
  if (__any_sync(0xffffffffu, outgrown)) weigh_exactly(own, sum);
  own.rows.sum[0] += sum[0], own.rows.sum[1] += sum[1];
}

/// Releases trailing pairs that no row of this group sees; returns the first pair that some row
/// does.
template <class T, class L>
__device__ __forceinline__ int skip_unseen(Consumer<T, L>& own, const PrefillItem& item) {
  const int32_t end = item.position + (own.group + 1) * kGroupRows;
  int pair = pairs_of(item) - 1;
  for (; item.block_position(2 * pair) >= end; --pair) {
    own.wait_keys();
    own.wait_values();
    __syncwarp();  // no lane still waits for what is released next
    own.release_keys();
    own.release_values();
    own.await_turn();  // all groups must take the same number of turns
    own.pass_turn();
  }
  return pair;
}

template <class T, class L>
__device__ __forceinline__ void attend_optimistic(Consumer<T, L>& own, const PrefillArguments& a,
                                                  uint32_t count) {
  barrier_wait(shared_address(&own.shared.barriers->queries_full[own.group]), count % 2);
  // The item is read in shared memory: in registers, of which a thread has 160, it would make
  // others spill.
  const PrefillItem& shared_item = own.shared.barriers->items[own.group];
  own.rows = SoftmaxRows{};
#pragma unroll
  for (int i = 0; i < L::kDim / 2; ++i) own.out[i] = 0;

  int pair = skip_unseen(own, shared_item);
  own.wait_keys();
  own.issue_keys();
  wgmma_wait<0>(own.scores);
  own.release_keys();
  own.mask(shared_item, pair);
  weigh_optimistically(own, true);
  own.wait_values();
  own.clear_values(shared_item, pair);
  while (--pair >= 0) {
    own.wait_keys();
    own.await_turn();
    own.issue_keys();
    own.wait_values();
    own.issue_values();
    own.pass_turn();
    const bool whole = own.sees_all(shared_item, pair);
    wgmma_wait<1>(own.scores);
    own.release_keys();
    if (!whole) own.mask(shared_item, pair);
    wgmma_wait<0>(own.out);
    own.release_values();
    weigh_optimistically(own, false);
  }
  const PrefillItem item = shared_item;
  __syncwarp();  // all lanes have read the item
  own.release(&own.shared.barriers->queries_empty[own.group]);
  own.wait_values();
  own.issue_values();
  wgmma_wait<0>(own.out);
  own.release_values();
  own.store(a, item);
}

}  // namespace moa::cuda::wgmma_tiles
