// logits [rows, columns], targets [rows] -> losses [rows] = -log softmax(logits)[target] and, if
// wanted, grad_logits [rows, columns]. A thread block takes a row: one pass sums over the other
// logits (rows/log_sum_exp.cuh), a second one writes the gradients.
// Measured: reports/cuda/2026-11-24-h200
#include "cuda/host/ops.h"
#include "cuda/rows/log_sum_exp.cuh"

namespace moa::cuda {

namespace {

constexpr int kThreads = 512;

/// grad_logits.data is null when no gradients are wanted. It may be the memory of logits.
template <class T, class Gradient>
struct CrossEntropyRows {
  RowAccess<T> logits;              // [rows, columns]
  RowAccess<Gradient> grad_logits;  // [rows, columns]
  const int32_t* targets;           // [rows]
  float* losses;                    // [rows]
  int64_t columns, targets_stride, losses_stride;
  float scale;
  bool aligned;
};

/// Sets the whole gradient of a row to `value`.
template <class T, class Gradient>
__device__ void fill_gradient(const CrossEntropyRows<T, Gradient>& p, int64_t row, float value) {
  float x[kVectorElements];
#pragma unroll
  for (int i = 0; i < kVectorElements; ++i) x[i] = value;
  for (int64_t column = static_cast<int64_t>(threadIdx.x) * kVectorElements; column < p.columns;
       column += kThreads * kVectorElements) {
    p.grad_logits.store(row, column, vector_count(column, p.columns), p.aligned, x);
  }
}

/// Loss -log softmax(logits)[target]; gradient scale * (softmax(logits) - onehot(target)). Both are
/// computed from the sum over the other logits: where the target is almost certain, log-sum-exp -
/// logit and p - 1 would lose their digits by cancellation. An ignored target (-1) gives 0 for
/// both; a target outside the vocabulary gives NaN for both. A CTA takes a row.
template <class T, class Gradient>
__global__ void __launch_bounds__(kThreads)
    cross_entropy_rows_kernel(const CrossEntropyRows<T, Gradient> p) {
  __shared__ ExpSum shared[32];
  const int64_t row = blockIdx.x;
  const int64_t target = p.targets[row * p.targets_stride];
  const bool differentiates = p.grad_logits.data != nullptr;
  if (target < 0 || target >= p.columns) {
    const float value = target == -1 ? 0.0f : __int_as_float(0x7fc00000);
    if (differentiates) fill_gradient(p, row, value);
    if (threadIdx.x == 0) p.losses[row * p.losses_stride] = value;
    return;
  }
  // Loaded before the barrier in exp_sum, because gradients may overwrite it after that.
  float chosen[kVectorElements];
  p.logits.load(row, target, 1, false, chosen);
  const ExpSum rest = exp_sum(p.logits, row, p.columns, target, p.aligned, shared);
  const float shift = shift_of(fmaxf(rest.largest, chosen[0])), below = shift - chosen[0];
  // expf and not the faster __expf: the loss of an almost certain target is proportional to this
  // value, which is computed only once per row.
  const float others =
      rest.largest == -INFINITY ? rest.sum : rest.sum * expf(shift_of(rest.largest) - shift);
  const float sum = others + expf(-below);
  if (threadIdx.x == 0)
    p.losses[row * p.losses_stride] = below == 0 ? log1pf(others) : below + logf(sum);
  if (!differentiates) return;
  const float factor = p.scale / sum;
  for (int64_t column = static_cast<int64_t>(threadIdx.x) * kVectorElements; column < p.columns;
       column += kThreads * kVectorElements) {
    float x[kVectorElements];
    const int count = vector_count(column, p.columns);
    p.logits.load(row, column, count, p.aligned, x);
#pragma unroll
    for (int i = 0; i < kVectorElements; ++i) {
      x[i] = factor * (column + i == target ? -others : __expf(x[i] - shift));
    }
    p.grad_logits.store(row, column, count, p.aligned, x);
  }
}

}  // namespace

void cross_entropy(Context& context, const CrossEntropyParams& params) {
  const int64_t rows = params.logits.rows(), columns = params.logits.row_size();
  if (params.logits.size() == 0) return;
  const TensorRef& gradient = params.grad_logits ? params.grad_logits : params.logits;
  const auto run = [&]<class T, class Gradient>() {
    CrossEntropyRows<T, Gradient> p{
        .logits = RowAccess<T>(params.logits),
        .grad_logits = RowAccess<Gradient>(gradient),
        .targets = static_cast<const int32_t*>(params.targets.data),
        .losses = static_cast<float*>(params.losses.data),
        .columns = columns,
        .targets_stride = params.targets.row_stride,
        .losses_stride = params.losses.row_stride,
        .scale = params.grad_scale,
        .aligned = aligned_rows({params.logits, gradient}, columns),
    };
    p.grad_logits.data = params.grad_logits.data;
    cross_entropy_rows_kernel<<<static_cast<unsigned>(rows), kThreads, 0, context.stream>>>(p);
    MOA_CUDA_CHECK_LAUNCH();
  };
  if (params.logits.dtype != gradient.dtype) return run.template operator()<Any, Any>();
  with_float_type(params.logits.dtype, "logits",
                  [&]<class T>() { run.template operator()<T, T>(); });
}

}  // namespace moa::cuda
