// Checks the vector exponential of the cpu backend against the C library: over its whole range,
// past both ends, at infinity and at NaN.
#include "cpu/simd.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>

namespace {

using moa::cpu::broadcast;
using moa::cpu::kLanes;
using moa::cpu::Vec;

int failures = 0;

void expect(bool condition, const char* what, float x, float y) {
  if (condition) return;
  ++failures;
  std::printf("Expected %s but 2^%.9g is %.9g\n", what, x, y);
}

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// 2^x. Every lane computes it and must give the same bits.
float exp2_of(float x) {
  const Vec y = moa::cpu::exp2(broadcast(x));
  for (int i = 1; i < kLanes; ++i) {
    expect(std::bit_cast<uint32_t>(y[i]) == std::bit_cast<uint32_t>(y[0]), "equal lanes", x, y[i]);
  }
  return y[0];
}

/// Tests 20,000 values of x per unit, with both ends and the midpoints between integers.
void test_range() {
  for (int step = -126 * 20000; step <= 127 * 20000; ++step) {
    const auto x = static_cast<float>(step / 20000.0);
    const double expected = std::exp2(static_cast<double>(x));
    const float y = exp2_of(x);
    expect(std::abs(y - expected) < 0x1p-22 * expected, "a relative error below 2^-22", x, y);
  }
}

void test_ends() {
  for (const float x : {-127.0f, -128.0f, -200.0f, -1e4f, -1e30f, -3.4e38f, -kInfinity}) {
    expect(exp2_of(x) == 0.0f, "0", x, exp2_of(x));
  }
  for (const float x : {128.0f, 129.0f, 255.0f, 256.0f, 384.0f, 1e4f, 1e30f, 3.4e38f, kInfinity}) {
    expect(exp2_of(x) == kInfinity, "infinity", x, exp2_of(x));
  }
}

/// Tests NaNs with many payloads, because the low bits of the payload get into the arithmetic of
/// the exponent.
void test_nan() {
  for (uint32_t payload = 1; payload < 1u << 10; ++payload) {
    for (const uint32_t sign : {0u, 1u << 31}) {
      const auto x = std::bit_cast<float>(0x7fc00000u | payload | sign);
      expect(std::isnan(exp2_of(x)), "NaN", x, exp2_of(x));
    }
  }
}

}  // namespace

int main() {
  test_range();
  test_ends();
  test_nan();
  return failures == 0 ? 0 : 1;
}
