#pragma once
// Tensor maps over packed rows [T, heads, D], and the copies that use them (PTX ISA:
// cp.async.bulk.tensor), for sm_90 and later. cuTensorMapEncodeTiled (cuda.h) is found through the
// CUDA runtime, so that nothing links libcuda.
#include <cuda.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <string>

#include "cuda/host/context.h"
#include "moa/tensor.h"

namespace moa::cuda {

/// A box is what one copy moves: 64 elements (128 bytes, the widest swizzle) of 64 rows of one
/// head.
constexpr int kTmaBoxElements = 64;
constexpr int kTmaBoxRows = 64;
constexpr int kTmaBoxBytes = kTmaBoxRows * kTmaBoxElements * 2;

/// Makes a map over rows [rows, heads, head_dim] of 16-bit elements. A copy writes rows of 128
/// bytes to shared memory (aligned to 1024 bytes), puts 16-byte chunk c of row r at chunk c ^ (r &
/// 7), and writes zeros for rows outside the tensor. The address and the stride must be multiples
/// of 16 bytes.
inline CUtensorMap encode_rows(const void* data, DType dtype, int64_t rows, int64_t heads,
                               int64_t head_dim, int64_t row_stride) {
  using Encode =
      CUresult (*)(CUtensorMap*, CUtensorMapDataType, cuuint32_t, void*, const cuuint64_t*,
                   const cuuint64_t*, const cuuint32_t*, const cuuint32_t*, CUtensorMapInterleave,
                   CUtensorMapSwizzle, CUtensorMapL2promotion, CUtensorMapFloatOOBfill);
  constexpr unsigned kSince = 12000;  // the CUDA version that has this signature
  static const Encode encode = [] {
    void* entry = nullptr;
    cudaDriverEntryPointQueryResult found{};
    MOA_CUDA_CHECK(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &entry, kSince,
                                                    cudaEnableDefault, &found));
    if (found != cudaDriverEntryPointSuccess || entry == nullptr) {
      throw Error(ErrorCode::kUnavailable, "Expected cuTensorMapEncodeTiled in the CUDA driver");
    }
    return reinterpret_cast<Encode>(entry);
  }();
  const auto stride = static_cast<cuuint64_t>(rows > 1 ? row_stride : heads * head_dim);
  const cuuint64_t dims[3] = {static_cast<cuuint64_t>(head_dim), static_cast<cuuint64_t>(heads),
                              static_cast<cuuint64_t>(rows)};
  const cuuint64_t strides[2] = {static_cast<cuuint64_t>(head_dim) * 2, stride * 2};  // bytes
  const cuuint32_t box[3] = {kTmaBoxElements, 1, kTmaBoxRows};
  const cuuint32_t steps[3] = {1, 1, 1};
  CUtensorMap map;
  const CUresult status = encode(
      &map,
      dtype == DType::kF16 ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16 : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 3,
      const_cast<void*>(data), dims, strides, box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
      CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
      CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (status != CUDA_SUCCESS) {
    throw Error(ErrorCode::kInternal,
                "cuTensorMapEncodeTiled failed with CUresult " + std::to_string(status));
  }
  return map;
}

#ifdef __CUDACC__
__device__ __forceinline__ void tma_prefetch(const CUtensorMap* map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory");
}
/// Copies one box into shared memory; the barrier counts its kTmaBoxBytes.
__device__ __forceinline__ void tma_load(uint32_t shared, const CUtensorMap* map, int32_t element,
                                         int32_t head, int32_t row, uint32_t barrier) {
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
      "[%0], [%1, {%2, %3, %4}], [%5];" ::"r"(shared),
      "l"(map), "r"(element), "r"(head), "r"(row), "r"(barrier)
      : "memory");
}
#endif

}  // namespace moa::cuda
