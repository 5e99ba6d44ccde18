#pragma once
#include <cstdint>

namespace moa::cpu {

/// Below this many element operations a loop stays on the stream thread: waking the OpenMP team
/// takes 2 to 10 us, in which one core does about this much.
inline constexpr int64_t kParallelElements = 16384;

}  // namespace moa::cpu
