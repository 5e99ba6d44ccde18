#pragma once
#include <cstdint>

namespace moa::cpu {

/// A loop with fewer element operations stays on the stream thread: waking the OpenMP team takes 2
/// to 10 us, and one core does about this many operations in that time.
inline constexpr int64_t kParallelElements = 16384;

}  // namespace moa::cpu
