#pragma once
// Ring arithmetic of KV caches, shared by backends, kernels and tests. Tokens before `sink` keep
// their slots for ever; later tokens reuse the other slots in turn, window = capacity - sink of
// them.
#include <cstdint>

#if defined(__CUDACC__)
#define MOA_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define MOA_HOST_DEVICE inline
#endif

namespace moa {

/// Tokens per block. Spans and capacities are multiples of it, and caches on `cuda` are stored in
/// tiles of this size.
constexpr int32_t kBlockTokens = 64;

/// Where the token at `position` lives.
MOA_HOST_DEVICE int32_t ring_slot(int32_t position, int32_t sink, int32_t capacity) {
  return position < sink ? position : sink + (position - sink) % (capacity - sink);
}

/// Slots that hold tokens after `length` tokens were seen: [0, live_slots).
MOA_HOST_DEVICE int32_t live_slots(int32_t length, int32_t capacity) {
  return length < capacity ? length : capacity;
}

/// The oldest position, sinks left out, that a ring still holds once it has seen `length` tokens.
/// This is `sink` as long as nothing has been evicted.
MOA_HOST_DEVICE int32_t oldest_window_position(int32_t length, int32_t sink, int32_t capacity) {
  return length <= capacity ? sink : length - (capacity - sink);
}

}  // namespace moa
