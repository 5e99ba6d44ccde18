#pragma once
// Programmatic dependent launch (CUDA programming guide; PTX ISA: griddepcontrol), sm_90 and later:
// a kernel is launched, and does what needs no results, while the one before it in the stream ends.
// Elsewhere, and beside kernels that do not take part, launches follow one another as ever.
#include "cuda/context.h"

namespace moa::cuda {

/// Returns when the kernels before this one have ended and what they wrote is visible. Every CTA
/// calls it before it reads or writes any tensor or scratch memory.
__device__ __forceinline__ void wait_for_previous_kernels() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
/// Lets the next kernel start, if launch_overlapping launches it, once every CTA came here or
/// ended.
__device__ __forceinline__ void allow_next_kernel() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}
/// Asks for the line of `address` in L2. A hint: it may come before wait_for_previous_kernels,
/// because writes of those kernels go to the same L2.
__device__ __forceinline__ void prefetch_l2(const void* address) {
  asm volatile("prefetch.global.L2 [%0];" ::"l"(address));
}

/// Launches a kernel that calls wait_for_previous_kernels.
template <class Params>
void launch_overlapping(const Context& context, void (*kernel)(Params), unsigned grid,
                        unsigned threads, int64_t shared_bytes, const Params& params) {
  cudaLaunchAttribute overlapping{};
  overlapping.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  overlapping.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(grid);
  config.blockDim = dim3(threads);
  config.dynamicSmemBytes = static_cast<size_t>(shared_bytes);
  config.stream = context.stream;
  config.attrs = &overlapping;
  config.numAttrs = context.properties.major >= 9 ? 1 : 0;
  MOA_CUDA_CHECK(cudaLaunchKernelEx(&config, kernel, params));
}

}  // namespace moa::cuda
