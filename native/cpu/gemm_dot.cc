// GEMM with few rows. b is read once, in its storage type; the speed is that of memory.
#include <algorithm>

#include "cpu/gemm_kernels.h"
#include "cpu/scratch.h"
#include "cpu/simd.h"

namespace moa::cpu {
namespace {

// Multiply-adds that one core does in less time than it takes to wake a thread.
constexpr int64_t kSerialWork = 1 << 17;

/// Dot products along K of kRows rows of a with kLanes / kRows rows of b. Each product has one
/// accumulator; all are reduced together at the end.
template <class T, int kRows>
Vec dot_products(const float* a, int64_t a_stride, const T* const (&b)[kLanes], int64_t depth) {
  constexpr int kColumns = kLanes / kRows;
  Vec sums[kLanes] = {};
  int64_t k = 0;
  for (; k + kLanes <= depth; k += kLanes) {
    Vec x[kRows];
    for (int r = 0; r < kRows; ++r) x[r] = load(a + r * a_stride + k);
    for (int c = 0; c < kColumns; ++c) {
      const Vec y = load(b[c] + k);
      for (int r = 0; r < kRows; ++r)
        sums[r * kColumns + c] = fmadd(x[r], y, sums[r * kColumns + c]);
    }
  }
  Vec result = reduce_add_each(sums);
  for (; k < depth; ++k) {
    for (int r = 0; r < kRows; ++r) {
      for (int c = 0; c < kColumns; ++c)
        result[r * kColumns + c] += a[r * a_stride + k] * to_float(b[c][k]);
    }
  }
  return result;
}

void write_out(const GemmArgs& args, int64_t row, int64_t column, int64_t columns,
               const float* values) {
  float* out = args.out + row * args.out_stride + column;
  for (int64_t c = 0; c < columns; ++c) {
    const float value = values[c] + (args.bias != nullptr ? args.bias[column + c] : 0.0f);
    out[c] = args.accumulate ? out[c] + value : value;
  }
}

/// Computes columns [column, column + kLanes) of all rows. After the first pair of rows, the rows
/// of b that it needs are in L1.
template <class T>
void dot_strip(const GemmArgs& args, int64_t column) {
  const int64_t columns = std::min<int64_t>(kLanes, args.n - column);
  const T* b[kLanes];  // columns past N point at the last row; their sums are not used
  for (int c = 0; c < kLanes; ++c) {
    b[c] = static_cast<const T*>(args.b) +
           (column + std::min<int64_t>(c, columns - 1)) * args.b_stride;
  }
  float values[kLanes];
  int64_t row = 0;
  constexpr int kHalf = kLanes / 2;
  const T* halves[2][kLanes] = {};
  for (int c = 0; c < kHalf; ++c) halves[0][c] = b[c], halves[1][c] = b[kHalf + c];
  for (; row + 2 <= args.m; row += 2) {
    const float* a = args.a + row * args.a_stride;
    for (int half = 0; half < 2 && half * kHalf < columns; ++half) {
      store(values, dot_products<T, 2>(a, args.a_stride, halves[half], args.k));
      const int64_t count = std::min<int64_t>(kHalf, columns - half * kHalf);
      write_out(args, row, column + half * kHalf, count, values);
      write_out(args, row + 1, column + half * kHalf, count, values + kHalf);
    }
  }
  if (row < args.m) {
    store(values, dot_products<T, 1>(args.a + row * args.a_stride, args.a_stride, b, args.k));
    write_out(args, row, column, columns, values);
  }
}

/// Computes kRows rows of out x kVecs vectors of columns, over all of K.
template <class T, int kRows, int kVecs>
void scaled_rows(const GemmArgs& args, int64_t row, int64_t column) {
  Vec sums[kRows][kVecs] = {};
  const float* a = args.a + row * args.a_stride;
  const T* b = static_cast<const T*>(args.b) + column;
  for (int64_t k = 0; k < args.k; ++k, b += args.b_stride) {
    for (int v = 0; v < kVecs; ++v) {
      const Vec y = load(b + v * kLanes);
      for (int r = 0; r < kRows; ++r) sums[r][v] = fmadd(a[r * args.a_stride + k], y, sums[r][v]);
    }
  }
  float values[kVecs * kLanes];
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVecs; ++v) store(values + v * kLanes, sums[r][v]);
    write_out(args, row + r, column, kVecs * kLanes, values);
  }
}

constexpr int kStripVecs = 4;

template <class T>
void columns_strip(const GemmArgs& args, int64_t column) {
  if (column + kStripVecs * kLanes <= args.n) {
    int64_t row = 0;
    for (; row + 2 <= args.m; row += 2) scaled_rows<T, 2, kStripVecs>(args, row, column);
    if (row < args.m) scaled_rows<T, 1, kStripVecs>(args, row, column);
    return;
  }
  for (int64_t row = 0; row < args.m; ++row) {
    int64_t c = column;
    for (; c + kLanes <= args.n; c += kLanes) scaled_rows<T, 1, 1>(args, row, c);
    for (; c < args.n; ++c) {
      float sum = 0;
      for (int64_t k = 0; k < args.k; ++k) {
        sum += args.a[row * args.a_stride + k] *
               to_float(static_cast<const T*>(args.b)[k * args.b_stride + c]);
      }
      write_out(args, row, c, 1, &sum);
    }
  }
}

}  // namespace

void gemm_dot(const GemmArgs& args) {
  const int threads = threads_for(args.m * args.n * args.k, kSerialWork);
  dispatch_float(args.b_dtype, [&](auto zero) {
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t column = 0; column < args.n; column += kLanes)
      dot_strip<decltype(zero)>(args, column);
  });
}

void gemm_columns(const GemmArgs& args) {
  const int threads = threads_for(args.m * args.n * args.k, kSerialWork);
  dispatch_float(args.b_dtype, [&](auto zero) {
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t column = 0; column < args.n; column += kStripVecs * kLanes) {
      columns_strip<decltype(zero)>(args, column);
    }
  });
}

}  // namespace moa::cpu
