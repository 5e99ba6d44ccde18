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

/// Returns `count` floats for the time of one op, aligned to a cache line and not initialized.
/// There is one buffer per calling thread, which is kept for the next op. So an op calls this once
/// for all its threads, and before its parallel region, which an exception could not leave.
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
      throw Error(ErrorCode::kOutOfMemory, "Expected " + std::to_string(rounded * 4) +
                                               " bytes of scratch memory but there is less");
    capacity = rounded;
  }
  return buffer.get();
}

/// Rounds a count of floats up to whole cache lines, so that no two threads' parts of a buffer
/// share a line.
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

/// How many threads to use for `work` units, when `grain` units cost less than waking a thread.
inline int threads_for(int64_t work, int64_t grain) {
  return static_cast<int>(std::min<int64_t>(work / grain + 1, max_threads()));
}

}  // namespace moa::cpu
