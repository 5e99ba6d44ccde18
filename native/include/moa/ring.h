#pragma once
// Ring arithmetic of KV caches, shared by backends, kernels and tests. Tokens before `sink` keep
// their slot for ever; later ones go round the window = capacity - sink.
#include <cstdint>

#if defined(__CUDACC__)
#define MOA_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define MOA_HOST_DEVICE inline
#endif

namespace moa {

/// Slots of a block of tokens: spans and capacities are multiples of it, caches on `cuda` are
/// stored in tiles of it.
constexpr int32_t kBlockTokens = 64;

/// Where the token at `position` lives.
MOA_HOST_DEVICE int32_t ring_slot(int32_t position, int32_t sink, int32_t capacity) {
  return position < sink ? position : sink + (position - sink) % (capacity - sink);
}

/// Slots that hold tokens after `length` tokens were seen: [0, live_slots).
MOA_HOST_DEVICE int32_t live_slots(int32_t length, int32_t capacity) {
  return length < capacity ? length : capacity;
}

/// First position after the sinks that a ring still holds once it has seen `length` tokens; `sink`
/// while nothing was evicted.
MOA_HOST_DEVICE int32_t oldest_window_position(int32_t length, int32_t sink, int32_t capacity) {
  return length <= capacity ? sink : length - (capacity - sink);
}

}  // namespace moa
