#include <cmath>

#include "cpu/cpu_ops.h"
#include "cpu/parallel.h"
#include "cpu/weight_vector.h"

namespace moa::cpu {

namespace {

/// The vectors to normalize in x, which is [T, C] or [T, H, D]: their number per row, and their
/// length.
struct Vectors {
  int64_t per_row, size;
  explicit Vectors(const TensorRef& x)
      : per_row(x.ndim == 3 ? x.shape[1] : 1), size(x.shape[x.ndim - 1]) {}
};

/// out = x / sqrt(mean(x^2) + epsilon) * weight
void normalize(const float* x, const float* weight, float* out, int64_t size, float epsilon) {
  float squares = 0;
#pragma omp simd reduction(+ : squares)
  for (int64_t c = 0; c < size; ++c) squares += x[c] * x[c];
  const float inverse = 1.0f / std::sqrt(squares / static_cast<float>(size) + epsilon);
  for (int64_t c = 0; c < size; ++c) out[c] = x[c] * inverse * weight[c];
}

/// With g = grad_out * weight and r = 1 / sqrt(mean(x^2) + epsilon): grad_x = r (g - x r^2 mean(g
/// x)).
void normalize_backward(const float* x, const float* weight, const float* grad_out, float* grad_x,
                        int64_t size, const RmsNormBackwardParams& params) {
  float squares = 0, products = 0;
#pragma omp simd reduction(+ : squares, products)
  for (int64_t c = 0; c < size; ++c) {
    squares += x[c] * x[c];
    products += grad_out[c] * weight[c] * x[c];
  }
  const float count = static_cast<float>(size);
  const float inverse = 1.0f / std::sqrt(squares / count + params.epsilon);
  const float along = inverse * inverse * products / count;
  for (int64_t c = 0; c < size; ++c) {
    const float gradient = inverse * (grad_out[c] * weight[c] - x[c] * along);
    grad_x[c] = params.accumulate ? grad_x[c] + gradient : gradient;
  }
}

}  // namespace

void rms_norm(const RmsNormParams& params) {
  const Vectors vectors(params.x);
  const WeightVector weight(params.weight);
  const int64_t rows = params.x.rows(), count = rows * vectors.per_row;
#pragma omp parallel for if (params.x.size() > kParallelElements)
  for (int64_t i = 0; i < count; ++i) {
    const int64_t row = i / vectors.per_row, column = i % vectors.per_row * vectors.size;
    const float* x = params.x.row<const float>(row) + column;
    if (params.residual) {
      float* residual = params.residual.row<float>(row) + column;
      for (int64_t c = 0; c < vectors.size; ++c) residual[c] += x[c];
      x = residual;
    }
    normalize(x, weight.data(), params.out.row<float>(row) + column, vectors.size, params.epsilon);
  }
}

void rms_norm_backward(const RmsNormBackwardParams& params) {
  const Vectors vectors(params.x);
  const WeightVector weight(params.weight);
  const int64_t rows = params.x.rows(), count = rows * vectors.per_row;
#pragma omp parallel for if (params.x.size() > kParallelElements)
  for (int64_t i = 0; i < count; ++i) {
    const int64_t row = i / vectors.per_row, column = i % vectors.per_row * vectors.size;
    normalize_backward(params.x.row<const float>(row) + column, weight.data(),
                       params.grad_out.row<const float>(row) + column,
                       params.grad_x.row<float>(row) + column, vectors.size, params);
  }
}

}  // namespace moa::cpu
