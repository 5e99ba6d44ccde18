#pragma once
#include <cmath>
#include <cstdint>

#include "cpu/elementary.h"

namespace moa::cpu {

/// The largest element that is not NaN, or 0 when this is infinite, because inf - inf would be NaN.
inline float finite_shift(const float* x, int64_t size) {
  float largest = -INFINITY;
#pragma omp simd reduction(max : largest)
  for (int64_t i = 0; i < size; ++i) largest = x[i] > largest ? x[i] : largest;
  return std::isfinite(largest) ? largest : 0.0f;
}

/// sum(exp(x - shift)). Any NaN in x gives NaN.
inline float sum_exp(const float* x, int64_t size, float shift) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < size; ++i) sum += exp_f32(x[i] - shift);
  return sum;
}

/// log(sum(exp(x))), the natural logarithm, stabilised by the maximum. Any NaN in x gives NaN; if
/// all are -infinity, so is the result.
inline float log_sum_exp(const float* x, int64_t size) {
  const float shift = finite_shift(x, size);
  return shift + std::log(sum_exp(x, size, shift));
}

}  // namespace moa::cpu
