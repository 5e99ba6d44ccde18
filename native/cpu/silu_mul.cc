#include "cpu/cpu_ops.h"
#include "cpu/elementary.h"
#include "cpu/parallel.h"

namespace moa::cpu {

void silu_mul(const SiluMulParams& params) {
  const int64_t rows = params.out.rows(), width = params.out.row_size();
#pragma omp parallel for if (rows * width > kParallelElements)
  for (int64_t t = 0; t < rows; ++t) {
    const float* gate = params.gate_up.row<const float>(t);
    const float* up = gate + width;
    float* out = params.out.row<float>(t);
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) out[i] = gate[i] / (1.0f + exp_f32(-gate[i])) * up[i];
  }
}

/// With s = sigmoid(gate): d silu / d gate = s (1 + gate (1 - s)).
void silu_mul_backward(const SiluMulBackwardParams& params) {
  const int64_t rows = params.grad_out.rows(), width = params.grad_out.row_size();
#pragma omp parallel for if (rows * width > kParallelElements)
  for (int64_t t = 0; t < rows; ++t) {
    const float* gate = params.gate_up.row<const float>(t);
    const float* up = gate + width;
    const float* grad_out = params.grad_out.row<const float>(t);
    float* grad_gate = params.grad_gate_up.row<float>(t);
    float* grad_up = grad_gate + width;
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) {
      const float g = gate[i], u = up[i], d = grad_out[i];
      const float s = 1.0f / (1.0f + exp_f32(-g));
      grad_gate[i] = d * u * s * (1.0f + g * (1.0f - s));
      grad_up[i] = d * g * s;
    }
  }
}

}  // namespace moa::cpu
