#pragma once
// Counter-based random numbers: they are the same on every backend, whatever the order in which
// elements are made.
#include <cstdint>

#include "moa/ring.h"

namespace moa {

MOA_HOST_DEVICE uint32_t mix_bits(uint32_t x) {
  // A bijection of 32 bits by xor-shifts and odd multipliers ("lowbias32" constants, public
  // domain).
  x ^= x >> 16;
  x *= 0x7feb352du;
  x ^= x >> 15;
  x *= 0x846ca68bu;
  x ^= x >> 16;
  return x;
}

/// Uniform in [-1, 1) on a grid of 2^-23: exact in float32.
MOA_HOST_DEVICE float uniform_unit(uint64_t seed, uint64_t index) {
  const uint32_t high =
      mix_bits(static_cast<uint32_t>(index >> 32) ^ static_cast<uint32_t>(seed >> 32));
  const uint32_t bits =
      mix_bits(mix_bits(static_cast<uint32_t>(index) ^ static_cast<uint32_t>(seed)) + high);
  return static_cast<float>(bits >> 8) * 0x1p-23f - 1.0f;
}

}  // namespace moa
