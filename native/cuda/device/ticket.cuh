#pragma once
// Arrival counters of CTAs that share a result, in memory that is zero between launches: whoever
// comes last merges what all of them wrote.
#include "cuda/device/barrier.cuh"

namespace moa::cuda {

/// Whether this CTA is the last of `expected` to come here; what the others wrote before is then
/// visible to all its threads. `flag` is shared memory.
template <int kThreads>
__device__ __forceinline__ bool arrive_last(uint32_t* ticket, int32_t expected, int32_t* flag) {
  named_barrier_sync<kThreads>();
  if (threadIdx.x == 0) {
    __threadfence();  // cumulative over the barrier: publishes what every thread of the CTA wrote
    const bool last = atomicAdd(ticket, 1u) == static_cast<uint32_t>(expected - 1);
    if (last) *ticket = 0;  // for the next launch
    __threadfence();
    *flag = last ? 1 : 0;
  }
  named_barrier_sync<kThreads>();
  return *flag != 0;
}

}  // namespace moa::cuda
