#include "cpu/cpu_ops.h"
#include "cpu/parallel.h"

namespace moa::cpu {

namespace {

/// Index of the largest element: the lowest one among equals, -1 when any element is NaN. The first
/// pass finds the value and can be vectorized; the second finds its index.
int32_t argmax_of(const float* x, int64_t size) {
  float largest = x[0];
  int nans = 0;
#pragma omp simd reduction(max : largest) reduction(+ : nans)
  for (int64_t i = 0; i < size; ++i) {
    largest = x[i] > largest ? x[i] : largest;
    nans += x[i] != x[i];
  }
  if (nans > 0) return -1;
  int64_t i = 0;
  while (x[i] != largest) ++i;
  return static_cast<int32_t>(i);
}

}  // namespace

void argmax(const ArgmaxParams& params) {
  const int64_t rows = params.logits.rows(), columns = params.logits.row_size();
#pragma omp parallel for if (rows > 1 && rows * columns > kParallelElements)
  for (int64_t b = 0; b < rows; ++b) {
    *params.out.row<int32_t>(b) = argmax_of(params.logits.row<const float>(b), columns);
  }
}

}  // namespace moa::cpu
