#include "cpu/cpu_ops.h"
#include "cpu/gemm_kernels.h"
#include "cpu/weight_vector.h"

namespace moa::cpu {
namespace {

// Up to these numbers of rows, reading b in place is faster than packing it: measured on 2 cores of
// Zen 3 with K = 256 to 704 (native/bench/gemm_bench.cc).
constexpr int64_t kMaxDotRows = 6;
constexpr int64_t kMaxColumnRows = 4;

}  // namespace

void gemm(const GemmParams& params) {
  const WeightVector bias(params.bias);
  GemmArgs args;
  args.a = static_cast<const float*>(params.a.data);
  args.b = params.b.data;
  args.out = static_cast<float*>(params.out.data);
  args.bias = bias.data();
  args.m = params.a.rows();
  args.k = params.a.row_size();
  args.n = params.out.row_size();
  args.a_stride = params.a.row_stride;
  args.b_stride = params.b.row_stride;
  args.out_stride = params.out.row_stride;
  args.b_dtype = params.b.dtype;
  args.transpose_b = params.transpose_b;
  args.accumulate = params.accumulate;
  if (args.m == 0 || args.n == 0) return;
  if (args.transpose_b && args.m <= kMaxDotRows) return gemm_dot(args);
  if (!args.transpose_b && args.m <= kMaxColumnRows) return gemm_columns(args);
  gemm_packed(args);
}

}  // namespace moa::cpu
