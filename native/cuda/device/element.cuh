#pragma once
// Element types of tensors on the device, and the only place that turns a runtime dtype into a
// template argument.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <string>

#include "moa/error.h"
#include "moa/tensor.h"

namespace moa::cuda {

using Half = __half;
using BFloat16 = __nv_bfloat16;

template <class T>
__device__ __forceinline__ float to_float(T x);
template <>
__device__ __forceinline__ float to_float(float x) {
  return x;
}
template <>
__device__ __forceinline__ float to_float(Half x) {
  return __half2float(x);
}
template <>
__device__ __forceinline__ float to_float(BFloat16 x) {
  return __bfloat162float(x);
}

/// Rounds to nearest even.
template <class T>
__device__ __forceinline__ T from_float(float x);
template <>
__device__ __forceinline__ float from_float<float>(float x) {
  return x;
}
template <>
__device__ __forceinline__ Half from_float<Half>(float x) {
  return __float2half_rn(x);
}
template <>
__device__ __forceinline__ BFloat16 from_float<BFloat16>(float x) {
  return __float2bfloat16_rn(x);
}

/// Reads an element whose dtype is only known at run time. For small operands (weights of norms,
/// frequencies), where all threads take the same branch.
__device__ __forceinline__ float load_element(const void* data, DType dtype, int64_t index) {
  switch (dtype) {
    case DType::kF16:
      return __half2float(static_cast<const Half*>(data)[index]);
    case DType::kBF16:
      return __bfloat162float(static_cast<const BFloat16*>(data)[index]);
    default:
      return static_cast<const float*>(data)[index];
  }
}

/// Calls f.template operator()<T>() with the element type of a float dtype.
template <class F>
decltype(auto) with_float_type(DType dtype, const char* name, F&& f) {
  switch (dtype) {
    case DType::kF32:
      return f.template operator()<float>();
    case DType::kF16:
      return f.template operator()<Half>();
    case DType::kBF16:
      return f.template operator()<BFloat16>();
    case DType::kI32:
      break;
  }
  throw Error(ErrorCode::kUnsupported,
              std::string("Expected f32, f16 or bf16 for ") + name + " but received i32");
}

/// The same for only the two half types, which are those of the tensor-core kernels.
template <class F>
decltype(auto) with_half_type(DType dtype, const char* name, F&& f) {
  switch (dtype) {
    case DType::kF16:
      return f.template operator()<Half>();
    case DType::kBF16:
      return f.template operator()<BFloat16>();
    default:
      break;
  }
  throw Error(ErrorCode::kUnsupported, std::string("Expected f16 or bf16 for ") + name);
}

inline bool is_half(DType dtype) {
  return dtype == DType::kF16 || dtype == DType::kBF16;
}

}  // namespace moa::cuda
