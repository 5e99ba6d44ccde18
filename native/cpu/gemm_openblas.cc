// GEMM by OpenBLAS, when CMake found it. Its own threads do the work; weights stored in half types
// are converted a panel at a time.
#if defined(MOA_HAVE_OPENBLAS)
#include <cblas.h>

#include <algorithm>

#include "cpu/gemm_kernels.h"
#include "cpu/scratch.h"
#include "cpu/simd.h"

namespace moa::cpu {
namespace {

constexpr int64_t kPanelFloats =
    1 << 20;  // of converted weights: 4 MB stay in L3 while the rows pass

void multiply(const GemmArgs& args, int64_t column, int64_t columns, const float* b,
              int64_t b_stride) {
  cblas_sgemm(CblasRowMajor, CblasNoTrans, args.transpose_b ? CblasTrans : CblasNoTrans,
              static_cast<int>(args.m), static_cast<int>(columns), static_cast<int>(args.k), 1.0f,
              args.a, static_cast<int>(args.a_stride), b, static_cast<int>(b_stride),
              args.accumulate ? 1.0f : 0.0f, args.out + column, static_cast<int>(args.out_stride));
}

template <class T>
void multiply_converted(const GemmArgs& args) {
  const T* b = static_cast<const T*>(args.b);
  const int64_t step = std::clamp<int64_t>(kPanelFloats / std::max<int64_t>(args.k, 1), 1, args.n);
  float* panel = scratch_floats(step * args.k);
  for (int64_t column = 0; column < args.n; column += step) {
    const int64_t columns = std::min(step, args.n - column);
    if (args.transpose_b) {
      for (int64_t c = 0; c < columns; ++c)
        to_floats(b + (column + c) * args.b_stride, panel + c * args.k, args.k);
    } else {
      for (int64_t k = 0; k < args.k; ++k)
        to_floats(b + k * args.b_stride + column, panel + k * columns, columns);
    }
    multiply(args, column, columns, panel, args.transpose_b ? args.k : columns);
  }
}

}  // namespace

void gemm_openblas(const GemmArgs& args) {
  if (args.b_dtype == DType::kF32) {
    multiply(args, 0, args.n, static_cast<const float*>(args.b), args.b_stride);
  } else if (args.b_dtype == DType::kF16) {
    multiply_converted<F16>(args);
  } else {
    multiply_converted<BF16>(args);
  }
  if (args.bias == nullptr) return;
  for (int64_t row = 0; row < args.m; ++row) {
    float* out = args.out + row * args.out_stride;
    for (int64_t column = 0; column < args.n; ++column) out[column] += args.bias[column];
  }
}

}  // namespace moa::cpu
#endif
