// logits [rows, columns] -> out [rows, columns] = logits - log(sum(exp(logits))), row by row. A
// thread block takes a row and reads it twice: first for the sum and the maximum
// (rows/log_sum_exp.cuh), then for the differences.
// Measured: reports/cuda/2026-11-24-h200
#include "cuda/host/ops.h"
#include "cuda/rows/log_sum_exp.cuh"

namespace moa::cuda {

namespace {

constexpr int kThreads = 512;

/// out = logits - log(sum(exp(logits))), row by row. A CTA takes a row.
template <class T, class Out>
__global__ void __launch_bounds__(kThreads)
    log_softmax_rows_kernel(const RowAccess<T> logits, const RowAccess<Out> out,
                            const int64_t columns, const bool aligned) {
  __shared__ ExpSum shared[32];
  const int64_t row = blockIdx.x;
  const float normalizer = log_sum_exp(logits, row, columns, aligned, shared);
  for (int64_t column = static_cast<int64_t>(threadIdx.x) * kVectorElements; column < columns;
       column += kThreads * kVectorElements) {
    float x[kVectorElements];
    const int count = vector_count(column, columns);
    logits.load(row, column, count, aligned, x);
#pragma unroll
    for (int i = 0; i < kVectorElements; ++i) x[i] -= normalizer;
    out.store(row, column, count, aligned, x);
  }
}

}  // namespace

void log_softmax(Context& context, const LogSoftmaxParams& params) {
  const int64_t rows = params.logits.rows(), columns = params.logits.row_size();
  if (params.logits.size() == 0) return;
  const bool aligned = aligned_rows({params.logits, params.out}, columns);
  const auto run = [&]<class T, class Out>() {
    log_softmax_rows_kernel<T, Out><<<static_cast<unsigned>(rows), kThreads, 0, context.stream>>>(
        RowAccess<T>(params.logits), RowAccess<Out>(params.out), columns, aligned);
    MOA_CUDA_CHECK_LAUNCH();
  };
  if (params.logits.dtype != params.out.dtype) return run.template operator()<Any, Any>();
  with_float_type(params.out.dtype, "out", [&]<class T>() { run.template operator()<T, T>(); });
}

}  // namespace moa::cuda
