#pragma once
// Reductions over a CTA, in a fixed order: every run gives the same bits.
#include <cstdint>

namespace moa::cuda {

constexpr unsigned kFullWarp = 0xffffffffu;

__device__ __forceinline__ float shuffle_xor(float x, int lanes) {
  return __shfl_xor_sync(kFullWarp, x, lanes);
}
__device__ __forceinline__ uint64_t shuffle_xor(uint64_t x, int lanes) {
  return __shfl_xor_sync(kFullWarp, static_cast<unsigned long long>(x), lanes);
}

/// Every lane gets the result. `combine` must be commutative.
template <class T, class F>
__device__ __forceinline__ T warp_reduce(T value, F combine) {
#pragma unroll
  for (int lanes = 16; lanes > 0; lanes /= 2) value = combine(value, shuffle_xor(value, lanes));
  return value;
}

/// Every thread of the CTA (whole warps, one dimension) gets the result. `shared` has 32 elements
/// and may be reused after the CTA's next barrier.
template <class T, class F>
__device__ __forceinline__ T block_reduce(T value, T identity, T* shared, F combine) {
  value = warp_reduce(value, combine);
  const int warps = blockDim.x / 32, lane = threadIdx.x % 32;
  if (lane == 0) shared[threadIdx.x / 32] = value;
  __syncthreads();
  return warp_reduce(lane < warps ? shared[lane] : identity, combine);
}

}  // namespace moa::cuda
