// x (+ residual) [T, C] or [T, H, D], weight [C] or [D] -> out = x / sqrt(mean(x^2) + epsilon) *
// weight over the last dimension. With a residual, x + residual is also written to the residual.
// Where the elements of a vector fit, they stay in registers between the sum of squares and the
// scaling, so that they are read only once.
// Measured: reports/cuda/2026-11-24-h200
#include "cuda/host/ops.h"
#include "cuda/rows/norm.cuh"

namespace moa::cuda {

namespace {

struct None {};  // stands for no residual

/// Eight elements that a thread keeps from one pass to the next. 16-bit elements to which nothing
/// was added stay packed. This takes half the registers, so more threads have loads in flight.
template <class X, class Residual>
constexpr bool kKeptPacked = std::is_same_v<Residual, None> && sizeof(X) == 2;
template <class X, class Residual>
struct KeptVector {
  float x[kVectorElements];
};
template <class X, class Residual>
requires kKeptPacked<X, Residual>
struct KeptVector<X, Residual> {
  uint4 x;
};

/// x, residual and out are [T, C] or [T, H, D]. Tensors with a static type are aligned to 16 bytes;
/// those of type Any may not be.
template <class X, class Residual, class Out>
struct RmsNormRows {
  RowAccess<X> x;
  RowAccess<std::conditional_t<std::is_same_v<Residual, None>, X, Residual>> residual;
  RowAccess<Any> weight;  // [size], as one row
  RowAccess<Out> out;     // may be x
  NormShape shape;
  float epsilon;
  bool all_aligned;

  __device__ __forceinline__ bool aligned() const { return !std::is_same_v<X, Any> || all_aligned; }
  __device__ __forceinline__ int count(int column) const {
    return min(kVectorElements, shape.size - column);
  }

  /// x, or residual + x when there is a residual.
  __device__ __forceinline__ void load_sum(const NormPlace& at, int column,
                                           float (&sum)[kVectorElements]) const {
    x.load(at.row, at.first + column, count(column), aligned(), sum);
    if constexpr (!std::is_same_v<Residual, None>) {
      float before[kVectorElements];
      residual.load(at.row, at.first + column, count(column), aligned(), before);
#pragma unroll
      for (int i = 0; i < kVectorElements; ++i) sum[i] += before[i];
    }
  }
  __device__ __forceinline__ void load_kept(const NormPlace& at, int column,
                                            KeptVector<X, Residual>& kept) const {
    if constexpr (kKeptPacked<X, Residual>) {
      const auto* row = static_cast<const X*>(x.data) + at.row * x.stride;
      kept.x = *reinterpret_cast<const uint4*>(row + at.first + column);
    } else {
      load_sum(at, column, kept.x);
    }
  }
  __device__ __forceinline__ static void unpack(const KeptVector<X, Residual>& kept,
                                                float (&sum)[kVectorElements]) {
    if constexpr (kKeptPacked<X, Residual>) {
      load_aligned(reinterpret_cast<const X*>(&kept.x), sum);
    } else {
#pragma unroll
      for (int i = 0; i < kVectorElements; ++i) sum[i] = kept.x[i];
    }
  }
  __device__ __forceinline__ void store_sum(const NormPlace& at, int column,
                                            const float (&sum)[kVectorElements]) const {
    if constexpr (!std::is_same_v<Residual, None>)
      residual.store(at.row, at.first + column, count(column), aligned(), sum);
  }
  __device__ __forceinline__ void store_normalized(const NormPlace& at, int column, float inverse,
                                                   float (&sum)[kVectorElements]) const {
    float scale[kVectorElements];
    weight.load(0, column, count(column), aligned(), scale);
#pragma unroll
    for (int i = 0; i < kVectorElements; ++i) sum[i] = sum[i] * inverse * scale[i];
    out.store(at.row, at.first + column, count(column), aligned(), sum);
  }
};

__device__ __forceinline__ float sum_of_squares(const float (&x)[kVectorElements]) {
  float squares = 0;
#pragma unroll
  for (int i = 0; i < kVectorElements; ++i) squares += x[i] * x[i];
  return squares;
}

/// out = x / sqrt(mean(x^2) + epsilon) * weight, where x is the sum before it is rounded to the
/// residual's dtype. blockDim.x threads take a vector; a CTA has blockDim.y vectors (more than one
/// only when one warp takes a vector).
template <class X, class Residual, class Out>
__global__ void __launch_bounds__(kNormMaxThreads, kKeptPacked<X, Residual> ? 3 : 2)
    rms_norm_rows_kernel(const RmsNormRows<X, Residual, Out> p) {
  __shared__ float shared[32];
  const NormPlace at(p.shape);
  if (at.row >= p.shape.rows) return;  // only whole warps return, and only in CTAs without barriers
  KeptVector<X, Residual> kept[kNormKept];
  float squares = 0;
#pragma unroll
  for (int k = 0; k < kNormKept; ++k) {
    const int column = at.begin + k * at.step;
    if (column < p.shape.size) p.load_kept(at, column, kept[k]);
  }
  // Separate from the loads, so that all of these are in flight.
#pragma unroll
  for (int k = 0; k < kNormKept; ++k) {
    const int column = at.begin + k * at.step;
    if (column >= p.shape.size) continue;
    float sum[kVectorElements];
    p.unpack(kept[k], sum);
    squares += sum_of_squares(sum);
    p.store_sum(at, column, sum);
  }
#pragma unroll 1
  for (int column = at.begin + kNormKept * at.step; column < p.shape.size; column += at.step) {
    float sum[kVectorElements];
    p.load_sum(at, column, sum);
    squares += sum_of_squares(sum);
    p.store_sum(at, column, sum);
  }
  const float mean = norm_sum(squares, shared) / static_cast<float>(p.shape.size);
  const float inverse = 1.0f / sqrtf(mean + p.epsilon);
#pragma unroll
  for (int k = 0; k < kNormKept; ++k) {
    const int column = at.begin + k * at.step;
    if (column >= p.shape.size) continue;
    float sum[kVectorElements];
    p.unpack(kept[k], sum);
    p.store_normalized(at, column, inverse, sum);
  }
#pragma unroll 1
  for (int column = at.begin + kNormKept * at.step; column < p.shape.size; column += at.step) {
    float sum[kVectorElements];
    if constexpr (std::is_same_v<Residual, None>) {
      p.x.load(at.row, at.first + column, p.count(column), p.aligned(), sum);
    } else {
      p.residual.load(at.row, at.first + column, p.count(column), p.aligned(), sum);
    }
    p.store_normalized(at, column, inverse, sum);
  }
}

bool all_aligned(const RmsNormParams& params, int64_t size) {
  return aligned_rows({params.x, params.out}, size) &&
         (!params.residual || aligned_rows({params.residual}, size)) &&
         reinterpret_cast<uintptr_t>(params.weight.data) % kVectorBytes == 0;
}

template <class X, class Residual, class Out>
void launch(Context& context, const RmsNormParams& params) {
  const NormShape shape(params.x);
  RmsNormRows<X, Residual, Out> p{
      .x = RowAccess<X>(params.x),
      .residual = {},
      .weight = RowAccess<Any>(params.weight),
      .out = RowAccess<Out>(params.out),
      .shape = shape,
      .epsilon = params.epsilon,
      .all_aligned = all_aligned(params, shape.size),
  };
  if constexpr (!std::is_same_v<Residual, None>) p.residual = decltype(p.residual)(params.residual);
  const NormLaunch size(shape);
  rms_norm_rows_kernel<<<size.grid, size.block, 0, context.stream>>>(p);
  MOA_CUDA_CHECK_LAUNCH();
}

}  // namespace

void rms_norm(Context& context, const RmsNormParams& params) {
  if (params.x.size() == 0) return;
  const DType x = params.x.dtype, out = params.out.dtype;
  const bool aligned = all_aligned(params, params.x.shape[params.x.ndim - 1]);
  if (params.residual) {
    // Models keep the residual stream in float32.
    if (!aligned || params.residual.dtype != DType::kF32 || x != out)
      return launch<Any, Any, Any>(context, params);
    return with_float_type(x, "x", [&]<class T>() { launch<T, float, T>(context, params); });
  }
  if (!aligned || (x != out && x != DType::kF32)) return launch<Any, None, Any>(context, params);
  if (x == out)
    return with_float_type(x, "x", [&]<class T>() { launch<T, None, T>(context, params); });
  with_half_type(out, "out", [&]<class T>() { launch<float, None, T>(context, params); });
}

}  // namespace moa::cuda
