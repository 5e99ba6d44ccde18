#pragma once
// The order of work of FlashAttention-3 (arXiv 2407.08608, 3.2): Q K^T of the next pair of blocks
// and P V of this pair are issued together, and the softmax of the next pair is computed while P V
// still runs.
#include "cuda/prefill/wgmma_consumer.cuh"

namespace moa::cuda::wgmma_tiles {

/// Turns scores into weights, in place. Returns whether the outputs so far must be multiplied by
/// `shrink`.
template <class T, class L>
__device__ __forceinline__ bool softmax(Consumer<T, L>& own, float (&shrink)[2]) {
  float largest[2][2] = {{-INFINITY, -INFINITY}, {-INFINITY, -INFINITY}};  // [tile parity][row]
#pragma unroll
  for (int i = 0; i < 64; ++i) {
    float& x = largest[i / 4 % 2][i / 2 % 2];
    x = fmaxf(x, own.scores[i]);
  }
  const float both[2] = {fmaxf(largest[0][0], largest[1][0]), fmaxf(largest[0][1], largest[1][1])};
  const bool rose = own.rows.raise(both, own.c, shrink);
  const float base[2] = {own.rows.base(0, own.c), own.rows.base(1, own.c)};
#pragma unroll
  for (int i = 0; i < 64; ++i) {
    own.scores[i] = exp2_approximate(fmaf(own.scores[i], own.c, -base[i / 2 % 2]));
    own.rows.sum[i / 2 % 2] += own.scores[i];
  }
  return rose;
}

template <class T, class L>
__device__ __forceinline__ void attend_overlapped(Consumer<T, L>& own, const PrefillArguments& a,
                                                  uint32_t count) {
  barrier_wait(shared_address(&own.shared.barriers->queries_full[own.group]), count % 2);
  const PrefillItem item = own.shared.barriers->items[own.group];
  float shrink[2];
  own.rows = SoftmaxRows{};
#pragma unroll
  for (int i = 0; i < L::kDim / 2; ++i) own.out[i] = 0;

  int pair = pairs_of(item) - 1;
  own.wait_keys();
  own.issue_keys();
  wgmma_wait<0>(own.scores);
  own.release_keys();
  own.mask(item, pair);
  softmax(own, shrink);
  pack_operand<T>(own.scores, own.weights);
  own.wait_values();
  own.clear_values(item, pair);
  while (--pair >= 0) {
    own.wait_keys();
    own.await_turn();
    own.issue_keys();
    own.wait_values();
    own.issue_values();
    own.pass_turn();
    wgmma_wait<1>(own.scores);
    own.release_keys();
    own.mask(item, pair);
    const bool rose = softmax(own, shrink);
    wgmma_wait<0>(own.out);
    own.release_values();
    if (rose) {
#pragma unroll
      for (int i = 0; i < L::kDim / 2; ++i) own.out[i] *= shrink[i / 2 % 2];
    }
    pack_operand<T>(own.scores, own.weights);
  }
  own.release(&own.shared.barriers->queries_empty[own.group]);
  own.wait_values();
  own.issue_values();
  wgmma_wait<0>(own.out);
  own.release_values();
  own.store(a, item);
}

}  // namespace moa::cuda::wgmma_tiles
