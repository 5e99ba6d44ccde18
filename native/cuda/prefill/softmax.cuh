#pragma once
// The online softmax of the tensor-core kernels, over accumulator fragments: a thread holds two
// elements of rows g and g + 8 in every tile of 8 columns (device/mma.cuh), the four lanes of a
// quad share the rows.
//
// Weights are 2^(c s - c m), c = scale * log2(e) > 0, one FFMA and one ex2 an element. m is the
// largest score so far, or an older one: it is raised, and what was summed under it shrunk, only
// when scores outgrow it by 2^kSlack, since weights up to 2^kSlack lose nothing in f16, bf16 or
// float32 and the final division by the sum cancels the choice (lazy rescaling, FlashAttention-4's
// idea).
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

/// Of the thread's two rows.
struct SoftmaxRows {
  float largest[2] = {-INFINITY, -INFINITY};  // in units of scores; a NaN does not raise it
  float sum[2] = {0, 0};                      // over the thread's own columns

  /// Largest first: raises `largest` to what the block's scores ask for. Whether any row of the
  /// warp rose, in which case the outputs so far are to be multiplied by `shrink`.
  __device__ __forceinline__ bool raise(const float (&block_largest)[2], float c,
                                        float (&shrink)[2]) {
    float now[2];
    bool outgrown = false;
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      now[r] = fmaxf(largest[r], quad_max(block_largest[r]));
      outgrown |= (now[r] - largest[r]) * c > kSlack;  // false while nothing is seen: NaN
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
  /// What to subtract from c * score; 0 while nothing is seen, so that weights are 0, not NaN.
  __device__ __forceinline__ float base(int r, float c) const {
    return largest[r] == -INFINITY ? 0.0f : largest[r] * c;
  }
  /// Natural log of the sum of exp(scale * score); `total` is the quad's sum.
  __device__ __forceinline__ float log_sum_exp(int r, float c, float total) const {
    return (largest[r] * c + __log2f(total)) * kPrefillLn2;
  }
};

}  // namespace moa::cuda
