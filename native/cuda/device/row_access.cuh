#pragma once
// How the kernels between GEMM and attention read and write rows of tensors: eight elements per
// thread. Eight halves are one 16-byte access, eight floats are two. Tensors without 16-byte
// alignment are accessed element by element.
#include <algorithm>
#include <initializer_list>
#include <type_traits>

#include "cuda/device/element.cuh"
#include "moa/tensor.h"

namespace moa::cuda {

constexpr int kVectorElements = 8;
constexpr int kVectorBytes = 16;

/// Stands for an element type that is only known at run time. For combinations of dtypes that no
/// model uses where speed matters.
struct Any {};

__device__ __forceinline__ void load_aligned(const float* from, float (&x)[kVectorElements]) {
  const float4 low = *reinterpret_cast<const float4*>(from);
  const float4 high = *reinterpret_cast<const float4*>(from + 4);
  x[0] = low.x, x[1] = low.y, x[2] = low.z, x[3] = low.w;
  x[4] = high.x, x[5] = high.y, x[6] = high.z, x[7] = high.w;
}
__device__ __forceinline__ float2 to_float2(uint32_t bits, Half) {
  return __half22float2(*reinterpret_cast<const __half2*>(&bits));
}
__device__ __forceinline__ float2 to_float2(uint32_t bits, BFloat16) {
  return make_float2(__uint_as_float(bits << 16), __uint_as_float(bits & 0xffff0000u));
}
__device__ __forceinline__ uint32_t from_float2(float low, float high, Half) {
  const __half2 pair = __floats2half2_rn(low, high);
  return *reinterpret_cast<const uint32_t*>(&pair);
}
__device__ __forceinline__ uint32_t from_float2(float low, float high, BFloat16) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const uint32_t*>(&pair);
}
template <class T>
__device__ __forceinline__ void load_aligned(const T* from, float (&x)[kVectorElements]) {
  const uint4 bits = *reinterpret_cast<const uint4*>(from);
  const float2 a = to_float2(bits.x, T{}), b = to_float2(bits.y, T{});
  const float2 c = to_float2(bits.z, T{}), d = to_float2(bits.w, T{});
  x[0] = a.x, x[1] = a.y, x[2] = b.x, x[3] = b.y;
  x[4] = c.x, x[5] = c.y, x[6] = d.x, x[7] = d.y;
}
__device__ __forceinline__ void store_aligned(float* to, const float (&x)[kVectorElements]) {
  *reinterpret_cast<float4*>(to) = make_float4(x[0], x[1], x[2], x[3]);
  *reinterpret_cast<float4*>(to + 4) = make_float4(x[4], x[5], x[6], x[7]);
}
template <class T>
__device__ __forceinline__ void store_aligned(T* to, const float (&x)[kVectorElements]) {
  *reinterpret_cast<uint4*>(to) =
      make_uint4(from_float2(x[0], x[1], T{}), from_float2(x[2], x[3], T{}),
                 from_float2(x[4], x[5], T{}), from_float2(x[6], x[7], T{}));
}

/// Elements past `count` are read as 0 and not written. `aligned` promises 16-byte alignment and
/// count = 8.
template <class T>
__device__ __forceinline__ void load_vector(const T* from, int count, bool aligned,
                                            float (&x)[kVectorElements]) {
  if (aligned) return load_aligned(from, x);
#pragma unroll
  for (int i = 0; i < kVectorElements; ++i) x[i] = i < count ? to_float(from[i]) : 0.0f;
}
template <class T>
__device__ __forceinline__ void store_vector(T* to, int count, bool aligned,
                                             const float (&x)[kVectorElements]) {
  if (aligned) return store_aligned(to, x);
#pragma unroll
  for (int i = 0; i < kVectorElements; ++i) {
    if (i < count) to[i] = from_float<T>(x[i]);
  }
}

/// A tensor [rows, columns] with elements of type T; with T = Any, of `dtype`.
template <class T>
struct RowAccess {
  void* data = nullptr;
  int64_t stride = 0;
  DType dtype = DType::kF32;

  RowAccess() = default;
  explicit RowAccess(const TensorRef& x) : data(x.data), stride(x.row_stride), dtype(x.dtype) {}

  __device__ __forceinline__ void load(int64_t row, int64_t column, int count, bool aligned,
                                       float (&x)[kVectorElements]) const {
    const int64_t offset = row * stride + column;
    if constexpr (!std::is_same_v<T, Any>) {
      load_vector(static_cast<const T*>(data) + offset, count, aligned, x);
    } else if (dtype == DType::kF16) {
      load_vector(static_cast<const Half*>(data) + offset, count, aligned, x);
    } else if (dtype == DType::kBF16) {
      load_vector(static_cast<const BFloat16*>(data) + offset, count, aligned, x);
    } else {
      load_vector(static_cast<const float*>(data) + offset, count, aligned, x);
    }
  }
  __device__ __forceinline__ void store(int64_t row, int64_t column, int count, bool aligned,
                                        const float (&x)[kVectorElements]) const {
    const int64_t offset = row * stride + column;
    if constexpr (!std::is_same_v<T, Any>) {
      store_vector(static_cast<T*>(data) + offset, count, aligned, x);
    } else if (dtype == DType::kF16) {
      store_vector(static_cast<Half*>(data) + offset, count, aligned, x);
    } else if (dtype == DType::kBF16) {
      store_vector(static_cast<BFloat16*>(data) + offset, count, aligned, x);
    } else {
      store_vector(static_cast<float*>(data) + offset, count, aligned, x);
    }
  }
};

/// Whether every run of `columns` elements in these tensors starts 16-byte aligned and consists of
/// whole vectors. `columns` divides their rows.
inline bool aligned_rows(std::initializer_list<TensorRef> tensors, int64_t columns) {
  return columns % kVectorElements == 0 &&
         std::all_of(tensors.begin(), tensors.end(), [](const TensorRef& x) {
           const auto size = static_cast<int64_t>(bytes_per_element(x.dtype));
           return reinterpret_cast<uintptr_t>(x.data) % kVectorBytes == 0 &&
                  (x.rows() <= 1 || x.row_stride * size % kVectorBytes == 0);
         });
}

/// When all tensors are contiguous, turns each of them into one row of the same elements, so that a
/// tensor [n] is not accessed element by element.
inline void flatten_contiguous(std::initializer_list<TensorRef*> tensors) {
  if (!std::all_of(tensors.begin(), tensors.end(), [](TensorRef* x) { return x->contiguous(); }))
    return;
  for (TensorRef* x : tensors) {
    const int64_t size = x->size();
    x->ndim = 2;
    x->shape[0] = 1;
    x->shape[1] = size;
    x->row_stride = size;
  }
}

/// A launch over [rows, columns] in which each thread takes one vector of a row; see row_vector.
struct RowGrid {
  dim3 grid;
  int block;
  RowGrid(int64_t rows, int64_t columns) {
    const int64_t vectors = (columns + kVectorElements - 1) / kVectorElements;
    block = static_cast<int>(std::min<int64_t>(256, (vectors + 31) / 32 * 32));
    grid = dim3(static_cast<unsigned>((vectors + block - 1) / block),
                static_cast<unsigned>(std::min<int64_t>(rows, 65535)));
  }
};

/// The first column of the calling thread in a RowGrid launch. Its rows are blockIdx.y, blockIdx.y
/// + gridDim.y, ...
__device__ __forceinline__ int64_t row_vector() {
  return (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * kVectorElements;
}
__device__ __forceinline__ int vector_count(int64_t column, int64_t columns) {
  return static_cast<int>(min(static_cast<int64_t>(kVectorElements), columns - column));
}

}  // namespace moa::cuda
