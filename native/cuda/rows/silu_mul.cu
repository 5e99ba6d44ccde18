// gate_up [rows, 2 width] -> out [rows, width] = silu(gate) * up; and backward: gate_up, grad_out
// [rows, width] -> grad_gate_up [rows, 2 width]. A thread takes eight columns. The backward pass
// computes everything again from gate_up.
// Measured: reports/cuda/2026-11-24-h200
#include "cuda/device/row_access.cuh"
#include "cuda/host/ops.h"

namespace moa::cuda {

namespace {

/// factor / (1 + e^-x). The approximate division is right to 2 ulps. For divisors above 2^126,
/// where the sigmoid is below 2e-38, it gives 0.
__device__ __forceinline__ float sigmoid_times(float x, float factor) {
  return __fdividef(factor, 1.0f + expf(-x));
}

/// out = silu(gate) * up. gate_up is [rows, 2 * width], out is [rows, width].
template <class In, class Out>
__global__ void silu_mul_rows_kernel(const RowAccess<In> gate_up, const RowAccess<Out> out,
                                     const int64_t rows, const int64_t width, const bool aligned) {
  const int64_t column = row_vector();
  if (column >= width) return;
  const int count = vector_count(column, width);
  for (int64_t row = blockIdx.y; row < rows; row += gridDim.y) {
    float gate[kVectorElements], up[kVectorElements];
    gate_up.load(row, column, count, aligned, gate);
    gate_up.load(row, width + column, count, aligned, up);
#pragma unroll
    for (int i = 0; i < kVectorElements; ++i) up[i] *= sigmoid_times(gate[i], gate[i]);
    out.store(row, column, count, aligned, up);
  }
}

/// With s = sigmoid(gate): d silu / d gate = s (1 + gate (1 - s)).
template <class In, class GradOut, class GradIn>
__global__ void silu_mul_backward_rows_kernel(const RowAccess<In> gate_up,
                                              const RowAccess<GradOut> grad_out,
                                              const RowAccess<GradIn> grad_gate_up,
                                              const int64_t rows, const int64_t width,
                                              const bool aligned) {
  const int64_t column = row_vector();
  if (column >= width) return;
  const int count = vector_count(column, width);
  for (int64_t row = blockIdx.y; row < rows; row += gridDim.y) {
    float gate[kVectorElements], up[kVectorElements], gradient[kVectorElements];
    gate_up.load(row, column, count, aligned, gate);
    gate_up.load(row, width + column, count, aligned, up);
    grad_out.load(row, column, count, aligned, gradient);
#pragma unroll
    for (int i = 0; i < kVectorElements; ++i) {
      const float g = gate[i], s = sigmoid_times(g, 1.0f), d = gradient[i];
      gate[i] = d * up[i] * s * (1.0f + g * (1.0f - s));
      up[i] = d * g * s;
    }
    grad_gate_up.store(row, column, count, aligned, gate);
    grad_gate_up.store(row, width + column, count, aligned, up);
  }
}

}  // namespace

void silu_mul(Context& context, const SiluMulParams& params) {
  const int64_t rows = params.out.rows(), width = params.out.row_size();
  if (params.out.size() == 0) return;
  const RowGrid launch(rows, width);
  const bool aligned = aligned_rows({params.gate_up, params.out}, width);
  const auto run = [&]<class In, class Out>() {
    silu_mul_rows_kernel<In, Out><<<launch.grid, launch.block, 0, context.stream>>>(
        RowAccess<In>(params.gate_up), RowAccess<Out>(params.out), rows, width, aligned);
    MOA_CUDA_CHECK_LAUNCH();
  };
  if (params.gate_up.dtype != params.out.dtype) return run.template operator()<Any, Any>();
  with_float_type(params.out.dtype, "out", [&]<class T>() { run.template operator()<T, T>(); });
}

void silu_mul_backward(Context& context, const SiluMulBackwardParams& params) {
  const int64_t rows = params.grad_out.rows(), width = params.grad_out.row_size();
  if (params.grad_out.size() == 0) return;
  const RowGrid launch(rows, width);
  const bool aligned = aligned_rows({params.gate_up, params.grad_out, params.grad_gate_up}, width);
  const auto run = [&]<class In, class GradOut, class GradIn>() {
    silu_mul_backward_rows_kernel<In, GradOut, GradIn>
        <<<launch.grid, launch.block, 0, context.stream>>>(
            RowAccess<In>(params.gate_up), RowAccess<GradOut>(params.grad_out),
            RowAccess<GradIn>(params.grad_gate_up), rows, width, aligned);
    MOA_CUDA_CHECK_LAUNCH();
  };
  const DType dtype = params.gate_up.dtype;
  if (params.grad_out.dtype != dtype || params.grad_gate_up.dtype != dtype)
    return run.template operator()<Any, Any, Any>();
  with_float_type(dtype, "gateUp", [&]<class T>() { run.template operator()<T, T, T>(); });
}

}  // namespace moa::cuda
