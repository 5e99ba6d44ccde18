#pragma once
// The GEMM algorithms behind gemm(): out[M, N] (+)= a[M, K] . b (+ bias). They take plain pointers,
// so that benchmarks can call each of them.
#include <cstdint>

#include "moa/tensor.h"

namespace moa::cpu {

struct GemmArgs {
  const float* a = nullptr;     // [M, K], a_stride between rows
  const void* b = nullptr;      // [N, K] when transpose_b, else [K, N]; b_stride between rows
  float* out = nullptr;         // [M, N]
  const float* bias = nullptr;  // [N] or null
  int64_t m = 0, n = 0, k = 0;
  int64_t a_stride = 0, b_stride = 0, out_stride = 0;
  DType b_dtype = DType::kF32;
  bool transpose_b = true;
  bool accumulate = false;
};

/// Blocked: b is packed (and converted) block by block, and register tiles of out sum fused
/// multiply-adds. For many rows.
void gemm_packed(const GemmArgs& args);
/// b [N, K] is read once, in place, and converted on the way: dot products along K. For few rows,
/// where reading b takes most of the time.
void gemm_dot(const GemmArgs& args);
/// b [K, N] is read once, in place: rows of b are scaled and summed, a strip of columns at a time.
/// For few rows.
void gemm_columns(const GemmArgs& args);

}  // namespace moa::cpu
