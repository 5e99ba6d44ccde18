#pragma once
// What the two decode kernels share. Both follow the plan of decode/plan.h.
#include "cuda/decode/partials.cuh"
#include "cuda/decode/plan.h"
#include "cuda/host/context.h"

namespace moa::cuda {

/// What a kernel needs for the step of one layer, besides its tensors.
struct DecodeInput {
  PlanView plan;
  const uint64_t* heads;      // [sequences, layers, kv_heads] addresses of tile 0
  const int32_t* capacities;  // [sequences, layers, kv_heads]
  PartialStore partials;
  int32_t layer, layers, kv_heads, group;  // group: query heads per KV head
  float scale_log2;                        // scale * log2(e): scores are in the exp2 domain

  __device__ int64_t head_index(int32_t sequence, int32_t kv_head) const {
    return (static_cast<int64_t>(sequence) * layers + layer) * kv_heads + kv_head;
  }
  /// The first query head of the CTA's block of heads, within the group, and the number of heads of
  /// the block.
  __device__ int32_t first_head() const { return static_cast<int32_t>(blockIdx.y) * kDecodeHeads; }
  __device__ int32_t block_heads() const { return min(kDecodeHeads, group - first_head()); }
};

inline SharedLimits shared_limits(const Context& context) {
  const cudaDeviceProp& device = context.properties;
  return {static_cast<int64_t>(device.sharedMemPerMultiprocessor),
          static_cast<int64_t>(device.sharedMemPerBlockOptin),
          static_cast<int64_t>(device.reservedSharedMemPerBlock)};
}
inline int32_t decode_grid(const Context& context, const CacheView& cache) {
  return decode_grid(cache.dtype, cache.head_dim, shared_limits(context),
                     context.multiprocessors());
}
/// The layout of a cache's plan. It is sized for the largest grid of any head dim and dtype, so
/// that it depends on neither.
inline PlanLayout plan_layout(const Context& context, int sequences, int kv_heads) {
  return {static_cast<int64_t>(sequences) * kv_heads,
          std::min(kMaxDecodeCtas, kMostCtas * context.multiprocessors())};
}

/// Lets `kernel` use `bytes` of dynamic shared memory, and makes as much of the SM's L1 shared
/// memory as possible.
template <class Kernel>
void allow_shared_memory(Kernel* kernel, int64_t bytes) {
  MOA_CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                      static_cast<int>(bytes)));
  MOA_CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributePreferredSharedMemoryCarveout,
                                      cudaSharedmemCarveoutMaxShared));
}

/// Whether the tensor-core kernel can do it: q, out and cache have one half type, the rows of the
/// cache are swizzled, q can be read by pairs of elements and out can be written by fours.
bool attention_decode_mma_takes(const AttentionDecodeParams& params, const CacheView& cache);
void attention_decode_mma(Context& context, const AttentionDecodeParams& params,
                          const CacheView& cache, const DecodeInput& input);
/// Takes any dtypes and head dims; the arithmetic is float32.
void attention_decode_simt(Context& context, const AttentionDecodeParams& params,
                           const CacheView& cache, const DecodeInput& input);

}  // namespace moa::cuda
