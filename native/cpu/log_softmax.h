#pragma once
#include <cmath>
#include <cstdint>

#include "cpu/elementary.h"

namespace moa::cpu {

/// log(sum(exp(x))), natural, stabilised by the maximum. NaN anywhere gives NaN; all -infinity
/// gives -infinity.
inline float log_sum_exp(const float* x, int64_t size) {
  float largest = -INFINITY;
#pragma omp simd reduction(max : largest)
  for (int64_t i = 0; i < size; ++i)
    largest = x[i] > largest ? x[i] : largest;  // skips NaN; the sum below does not
  const float shift = std::isfinite(largest) ? largest : 0.0f;
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < size; ++i) sum += exp_f32(x[i] - shift);
  return shift + std::log(sum);
}

}  // namespace moa::cpu
