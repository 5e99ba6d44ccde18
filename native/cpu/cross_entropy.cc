#include <algorithm>
#include <limits>

#include "cpu/cpu_ops.h"
#include "cpu/log_softmax.h"
#include "cpu/parallel.h"

namespace moa::cpu {

namespace {

/// Loss -log softmax(logits)[target]; gradient scale * (softmax(logits) - onehot(target)). Both are
/// computed from the sum over the other logits: where the target is almost certain, log-sum-exp -
/// logit and p - 1 would lose their digits by cancellation. An ignored target (-1) gives 0 for
/// both; a target outside the vocabulary gives NaN for both.
float cross_entropy_row(const float* logits, int64_t columns, int32_t target, float* gradient,
                        float scale) {
  if (target == -1 || target < 0 || target >= columns) {
    const float value = target == -1 ? 0.0f : std::numeric_limits<float>::quiet_NaN();
    if (gradient != nullptr) std::fill_n(gradient, columns, value);
    return value;
  }
  const float shift = finite_shift(logits, columns), below = shift - logits[target];
  const float others =
      sum_exp(logits, target, shift) + sum_exp(logits + target + 1, columns - target - 1, shift);
  const float sum = others + exp_f32(-below);
  if (gradient != nullptr) {
    const float factor = scale / sum;
#pragma omp simd
    for (int64_t i = 0; i < columns; ++i) gradient[i] = factor * exp_f32(logits[i] - shift);
    gradient[target] = -factor * others;
  }
  return below == 0 ? std::log1p(others) : below + std::log(sum);
}

}  // namespace

void cross_entropy(const CrossEntropyParams& params) {
  const int64_t rows = params.logits.rows(), columns = params.logits.row_size();
#pragma omp parallel for if (rows * columns > kParallelElements)
  for (int64_t t = 0; t < rows; ++t) {
    *params.losses.row<float>(t) = cross_entropy_row(
        params.logits.row<const float>(t), columns, *params.targets.row<const int32_t>(t),
        params.grad_logits ? params.grad_logits.row<float>(t) : nullptr, params.grad_scale);
  }
}

}  // namespace moa::cpu
