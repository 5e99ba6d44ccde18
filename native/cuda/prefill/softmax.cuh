#pragma once
// The online softmax of the tensor-core kernels, over accumulator fragments. In every tile of 8
// columns a thread holds two elements of row g and two of row g + 8 (device/mma.cuh); the four
// lanes of a quad share these rows.
//
// Weights are 2^(c s - c m) with c = scale * log2(e) > 0: one FFMA and one ex2 per element. m is
// the largest score so far, or an older maximum. It is raised, and the sums so far are scaled down,
// only when a weight would exceed 2^kSlack. This is allowed because weights up to 2^kSlack lose
// nothing in f16, bf16 or float32, and the final division by the sum cancels the choice of m (lazy
// rescaling, an idea of FlashAttention-4).
#include <cstdint>

#include "cuda/device/mma.cuh"

namespace moa::cuda {

constexpr float kPrefillLog2E = 1.4426950408889634f, kPrefillLn2 = 0.6931471805599453f;
constexpr float kSlack = 8;

__device__ __forceinline__ float quad_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
  return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
}
__device__ __forceinline__ float quad_sum(float x) {
  x += __shfl_xor_sync(0xffffffffu, x, 1);
  return x + __shfl_xor_sync(0xffffffffu, x, 2);
}

/// The state of the thread's two rows.
struct SoftmaxRows {
  float largest[2] = {-INFINITY, -INFINITY};  // in units of scores; a NaN does not raise it
  float sum[2] = {0, 0};                      // over this thread's columns only

  /// Takes the largest scores of a block and raises `largest` if they require it. Returns whether a
  /// row of the warp rose; the caller must then multiply the outputs so far by `shrink`.
  __device__ __forceinline__ bool raise(const float (&block_largest)[2], float c,
                                        float (&shrink)[2]) {
    float now[2];
    bool outgrown = false;
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      now[r] = fmaxf(largest[r], quad_max(block_largest[r]));
      // False for NaN, as when nothing has been seen.
      outgrown |= (now[r] - largest[r]) * c > kSlack;
    }
    if (!__any_sync(0xffffffffu, outgrown)) return false;
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      shrink[r] = now[r] == largest[r] ? 1.0f : exp2_approximate((largest[r] - now[r]) * c);
      largest[r] = now[r];
      sum[r] *= shrink[r];
    }
    return true;
  }
  /// What to subtract from c * score. It is 0 while nothing has been seen, so that weights are 0,
  /// not NaN.
  __device__ __forceinline__ float base(int r, float c) const {
    return largest[r] == -INFINITY ? 0.0f : largest[r] * c;
  }
  /// Natural log of the sum of exp(scale * score); `total` is the sum over the quad.
  __device__ __forceinline__ float log_sum_exp(int r, float c, float total) const {
    return (largest[r] * c + __log2f(total)) * kPrefillLn2;
  }
};

}  // namespace moa::cuda
