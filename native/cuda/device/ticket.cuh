#pragma once
// Arrival counters for CTAs that share a result: the CTA that arrives last merges what all of them
// wrote. The counters are zero between launches.
#include "cuda/device/barrier.cuh"

namespace moa::cuda {

/// Whether this CTA is the last of `expected` CTAs to arrive. What the others wrote before they
/// arrived is then visible to all threads of this CTA. `flag` is in shared memory.
template <int kThreads>
__device__ __forceinline__ bool arrive_last(uint32_t* ticket, int32_t expected, int32_t* flag) {
  named_barrier_sync<kThreads>();
  if (threadIdx.x == 0) {
    __threadfence();  // after the barrier, so it publishes what all threads of the CTA wrote
    const bool last = atomicAdd(ticket, 1u) == static_cast<uint32_t>(expected - 1);
    if (last) *ticket = 0;  // for the next launch
    __threadfence();
    *flag = last ? 1 : 0;
  }
  named_barrier_sync<kThreads>();
  return *flag != 0;
}

}  // namespace moa::cuda
