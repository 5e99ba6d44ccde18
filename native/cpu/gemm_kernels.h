#pragma once
// The GEMM algorithms behind gemm(): out[M, N] (+)= a[M, K] . b (+ bias). Plain pointers, so that
// benches and tests can call each.
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

/// Blocked: b is packed (and converted) block by block, register tiles of fused multiply-adds. For
/// many rows.
void gemm_packed(const GemmArgs& args);
/// b [N, K] read once and in place: dot products along K, converted on the fly. For few rows, where
/// b's bandwidth is the cost.
void gemm_dot(const GemmArgs& args);
/// b [K, N] read once and in place: rows of b scaled and summed, a strip of columns at a time. For
/// few rows.
void gemm_columns(const GemmArgs& args);

}  // namespace moa::cpu
