#pragma once
// The sum of exp(x) over a row, in one pass, and its logarithm. Any NaN gives NaN; a row that is
// all -infinity gives -infinity; +infinity gives +infinity.
#include <cmath>

#include "cuda/device/block_reduce.cuh"
#include "cuda/device/row_access.cuh"

namespace moa::cuda {

/// `largest` is the largest element that is not NaN; `sum` is the sum of exp(x -
/// shift_of(largest)), and NaN if any element is.
struct ExpSum {
  float largest, sum;
};

constexpr ExpSum kNoExp = {-INFINITY, 0.0f};

/// What is subtracted before exp: 0 when `largest` is infinite, because inf - inf would be NaN.
__device__ __forceinline__ float shift_of(float largest) {
  return isinf(largest) ? 0.0f : largest;
}

/// The factor that turns a sum for largest element `from` into one for the larger element `to`. It
/// is 1 when `from` is -infinity, because that sum is 0 or NaN and must stay so.
__device__ __forceinline__ float rescale(float from, float to) {
  return from == -INFINITY ? 1.0f : __expf(shift_of(from) - shift_of(to));
}

__device__ __forceinline__ ExpSum shuffle_xor(ExpSum x, int lanes) {
  return {.largest = shuffle_xor(x.largest, lanes), .sum = shuffle_xor(x.sum, lanes)};
}

/// Commutative, to the last bit.
__device__ __forceinline__ ExpSum merge(ExpSum a, ExpSum b) {
  const float largest = fmaxf(a.largest, b.largest);
  const float left = __fmul_rn(a.sum, rescale(a.largest, largest)),
              right = __fmul_rn(b.sum, rescale(b.largest, largest));
  return {.largest = largest, .sum = __fadd_rn(left, right)};
}

/// The ExpSum of row `row` of logits [rows, columns], without the element at column `skip`; -1
/// skips none. Every thread of the CTA gets the result. `shared` has 32 elements.
template <class T>
__device__ __forceinline__ ExpSum exp_sum(const RowAccess<T>& logits, int64_t row, int64_t columns,
                                          int64_t skip, bool aligned, ExpSum* shared) {
  ExpSum total = kNoExp;
  const int64_t step = static_cast<int64_t>(blockDim.x) * kVectorElements;
  for (int64_t column = static_cast<int64_t>(threadIdx.x) * kVectorElements; column < columns;
       column += step) {
    float x[kVectorElements];
    const int count = vector_count(column, columns);
    logits.load(row, column, count, aligned, x);
    if (skip >= column && skip < column + kVectorElements) {
#pragma unroll
      for (int i = 0; i < kVectorElements; ++i) x[i] = column + i == skip ? -INFINITY : x[i];
    }
    float largest = total.largest;
#pragma unroll
    for (int i = 0; i < kVectorElements; ++i) {
      if (i < count) largest = fmaxf(largest, x[i]);
    }
    const float shift = shift_of(largest);
    total.sum *= rescale(total.largest, largest);
#pragma unroll
    for (int i = 0; i < kVectorElements; ++i) {
      if (i < count) total.sum += __expf(x[i] - shift);
    }
    total.largest = largest;
  }
  return block_reduce(total, kNoExp, shared, merge);
}

template <class T>
__device__ __forceinline__ float log_sum_exp(const RowAccess<T>& logits, int64_t row,
                                             int64_t columns, bool aligned, ExpSum* shared) {
  const ExpSum total = exp_sum(logits, row, columns, -1, aligned, shared);
  return shift_of(total.largest) + logf(total.sum);
}

}  // namespace moa::cuda
