// x, grad_out [T, C] or [T, H, D], weight [C] or [D] of an RMS norm -> grad_x, written or added.
// The first pass sums x^2 and grad_out * weight * x over a vector; the second pass writes the
// gradient, from elements that registers kept.
// Measured: reports/cuda/2026-11-24-h200
#include "cuda/host/ops.h"
#include "cuda/rows/norm.cuh"

namespace moa::cuda {

namespace {

/// x, grad_out and grad_x are [T, C] or [T, H, D]. Tensors with a static type are aligned to 16
/// bytes; those of type Any may not be.
template <class X, class GradOut, class GradX>
struct RmsNormBackwardRows {
  RowAccess<X> x;
  RowAccess<Any> weight;  // [size], as one row
  RowAccess<GradOut> grad_out;
  RowAccess<GradX> grad_x;  // may be grad_out
  NormShape shape;
  float epsilon;
  bool accumulate, all_aligned;

  __device__ __forceinline__ bool aligned() const { return !std::is_same_v<X, Any> || all_aligned; }
  __device__ __forceinline__ int count(int column) const {
    return min(kVectorElements, shape.size - column);
  }

  __device__ __forceinline__ void load(const NormPlace& at, int column,
                                       float (&in)[kVectorElements],
                                       float (&gradient)[kVectorElements]) const {
    x.load(at.row, at.first + column, count(column), aligned(), in);
    grad_out.load(at.row, at.first + column, count(column), aligned(), gradient);
  }
  /// Multiplies g by the weight, and adds to the sums of x^2 and g x.
  __device__ __forceinline__ void sum(int column, const float (&in)[kVectorElements],
                                      float (&g)[kVectorElements], float& squares,
                                      float& products) const {
    float scale[kVectorElements];
    weight.load(0, column, count(column), aligned(), scale);
#pragma unroll
    for (int i = 0; i < kVectorElements; ++i) {
      g[i] *= scale[i];
      squares += in[i] * in[i];
      products += g[i] * in[i];
    }
  }
  __device__ __forceinline__ void store(const NormPlace& at, int column, float inverse, float along,
                                        const float (&in)[kVectorElements],
                                        float (&g)[kVectorElements]) const {
#pragma unroll
    for (int i = 0; i < kVectorElements; ++i) g[i] = inverse * (g[i] - in[i] * along);
    if (accumulate) {
      float before[kVectorElements];
      grad_x.load(at.row, at.first + column, count(column), aligned(), before);
#pragma unroll
      for (int i = 0; i < kVectorElements; ++i) g[i] += before[i];
    }
    grad_x.store(at.row, at.first + column, count(column), aligned(), g);
  }
};

/// With g = grad_out * weight and r = 1 / sqrt(mean(x^2) + epsilon): grad_x (+)= r (g - x r^2
/// mean(g x)). Threads as in rms_norm_rows_kernel.
template <class X, class GradOut, class GradX>
__global__ void __launch_bounds__(kNormMaxThreads, 1)
    rms_norm_backward_rows_kernel(const RmsNormBackwardRows<X, GradOut, GradX> p) {
  __shared__ float shared[2][32];
  const NormPlace at(p.shape);
  if (at.row >= p.shape.rows) return;  // only whole warps return, and only in CTAs without barriers
  float kept_x[kNormKept][kVectorElements], kept_g[kNormKept][kVectorElements];
  float squares = 0, products = 0;
#pragma unroll
  for (int k = 0; k < kNormKept; ++k) {
    const int column = at.begin + k * at.step;
    if (column < p.shape.size) p.load(at, column, kept_x[k], kept_g[k]);
  }
#pragma unroll
  for (int k = 0; k < kNormKept; ++k) {
    const int column = at.begin + k * at.step;
    if (column < p.shape.size) p.sum(column, kept_x[k], kept_g[k], squares, products);
  }
  float x[kVectorElements], g[kVectorElements];
#pragma unroll 1
  for (int column = at.begin + kNormKept * at.step; column < p.shape.size; column += at.step) {
    p.load(at, column, x, g);
    p.sum(column, x, g, squares, products);
  }
  const float count = static_cast<float>(p.shape.size);
  squares = norm_sum(squares, shared[0]);
  products = norm_sum(products, shared[1]);
  const float inverse = 1.0f / sqrtf(squares / count + p.epsilon);
  const float along = inverse * inverse * products / count;
#pragma unroll
  for (int k = 0; k < kNormKept; ++k) {
    const int column = at.begin + k * at.step;
    if (column < p.shape.size) p.store(at, column, inverse, along, kept_x[k], kept_g[k]);
  }
#pragma unroll 1
  for (int column = at.begin + kNormKept * at.step; column < p.shape.size; column += at.step) {
    p.load(at, column, x, g);
    p.sum(column, x, g, squares, products);  // only to compute g: the sums are not read any more
    p.store(at, column, inverse, along, x, g);
  }
}

bool all_aligned(const RmsNormBackwardParams& params, int64_t size) {
  return aligned_rows({params.x, params.grad_out, params.grad_x}, size) &&
         reinterpret_cast<uintptr_t>(params.weight.data) % kVectorBytes == 0;
}

template <class X, class GradOut, class GradX>
void launch(Context& context, const RmsNormBackwardParams& params) {
  const NormShape shape(params.x);
  const RmsNormBackwardRows<X, GradOut, GradX> p{
      .x = RowAccess<X>(params.x),
      .weight = RowAccess<Any>(params.weight),
      .grad_out = RowAccess<GradOut>(params.grad_out),
      .grad_x = RowAccess<GradX>(params.grad_x),
      .shape = shape,
      .epsilon = params.epsilon,
      .accumulate = params.accumulate,
      .all_aligned = all_aligned(params, shape.size),
  };
  const NormLaunch size(shape);
  rms_norm_backward_rows_kernel<<<size.grid, size.block, 0, context.stream>>>(p);
  MOA_CUDA_CHECK_LAUNCH();
}

}  // namespace

void rms_norm_backward(Context& context, const RmsNormBackwardParams& params) {
  if (params.x.size() == 0) return;
  const DType x = params.x.dtype, grad_out = params.grad_out.dtype, grad_x = params.grad_x.dtype;
  if (!all_aligned(params, params.x.shape[params.x.ndim - 1]))
    return launch<Any, Any, Any>(context, params);
  // In models, the residual stream and its gradient are float32, and norms of queries and keys have
  // one dtype.
  if (x == grad_out && grad_out == grad_x)
    return with_float_type(x, "x", [&]<class T>() { launch<T, T, T>(context, params); });
  if (x != DType::kF32 || grad_out == DType::kF32 || (grad_x != grad_out && grad_x != DType::kF32))
    return launch<Any, Any, Any>(context, params);
  with_half_type(grad_out, "gradOut", [&]<class T>() {
    if (grad_x == DType::kF32) return launch<float, T, float>(context, params);
    launch<float, T, T>(context, params);
  });
}

}  // namespace moa::cuda
