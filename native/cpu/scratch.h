#pragma once
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "moa/error.h"

#if defined(_OPENMP)
#include <omp.h>
#endif

namespace moa::cpu {

/// Floats that an op needs while it runs, aligned to a cache line and not initialized. One buffer
/// per calling thread, kept for the next op, so an op asks once, before its parallel region, for
/// what all its threads need (an exception cannot leave the region).
inline float* scratch_floats(int64_t count) {
  struct Free {
    void operator()(float* p) const { std::free(p); }
  };
  thread_local std::unique_ptr<float, Free> buffer;
  thread_local int64_t capacity = 0;
  if (count > capacity) {
    buffer.reset();
    capacity = 0;
    const int64_t rounded = (count + 1023) / 1024 * 1024;
    buffer.reset(static_cast<float*>(std::aligned_alloc(64, static_cast<size_t>(rounded) * 4)));
    if (!buffer)
      throw Error(ErrorCode::kOutOfMemory,
                  "No memory for " + std::to_string(rounded * 4) + " bytes of scratch");
    capacity = rounded;
  }
  return buffer.get();
}

/// Rounds a count of floats up to whole cache lines, so that threads' parts of a buffer do not
/// share one.
inline int64_t whole_lines(int64_t floats) {
  return (floats + 15) / 16 * 16;
}

#if defined(_OPENMP)
inline int thread_index() {
  return omp_get_thread_num();
}
inline int max_threads() {
  return omp_get_max_threads();
}
#else
inline int thread_index() {
  return 0;
}
inline int max_threads() {
  return 1;
}
#endif

/// Threads worth starting for `work` units when `grain` of them cost less than waking a thread
/// does.
inline int threads_for(int64_t work, int64_t grain) {
  return static_cast<int>(std::min<int64_t>(work / grain + 1, max_threads()));
}

}  // namespace moa::cpu
