#pragma once
// What the RMS norm and its backward pass share: how the vectors of [T, C] or [T, H, D] are divided
// among threads.
#include "cuda/device/block_reduce.cuh"
#include "cuda/device/row_access.cuh"

namespace moa::cuda {

constexpr int kNormMaxThreads = 512;  // per vector
constexpr int kNormWarpVectors = 4;   // vectors per CTA when one warp takes a vector
// How many times eight elements a thread keeps in registers between its passes.
constexpr int kNormKept = 2;

/// The vectors to normalize: `heads` of them in each of `rows` rows, with `size` elements each.
struct NormShape {
  int64_t rows, heads;
  int32_t size;
  explicit NormShape(const TensorRef& x)
      : rows(x.rows()),
        heads(x.ndim == 3 ? x.shape[1] : 1),
        size(static_cast<int32_t>(x.shape[x.ndim - 1])) {}
};

/// As many threads per vector (whole warps) as are needed to keep all its elements in registers,
/// where that is possible.
struct NormLaunch {
  dim3 grid, block;
  explicit NormLaunch(const NormShape& shape) {
    const int elements = kNormKept * kVectorElements;
    const int threads =
        std::min(kNormMaxThreads, ((shape.size + elements - 1) / elements + 31) / 32 * 32);
    const int together = threads == 32 ? kNormWarpVectors : 1;
    block = dim3(static_cast<unsigned>(threads), static_cast<unsigned>(together));
    grid = dim3(static_cast<unsigned>((shape.rows * shape.heads + together - 1) / together));
  }
};

/// The part of a vector that the calling thread takes: in row `row`, eight elements from each of
/// first + begin, first + begin + step, ...
struct NormPlace {
  int64_t row = 0, first = 0;
  int32_t begin = 0, step = 0;
  __device__ __forceinline__ explicit NormPlace(const NormShape& shape) {
    const int64_t vector = static_cast<int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
    row = vector;
    if (shape.heads > 1) {  // 32 bits are enough, as the grid counts the vectors
      const auto heads = static_cast<uint32_t>(shape.heads);
      row = static_cast<uint32_t>(vector) / heads;
      first = static_cast<uint32_t>(vector) % heads * static_cast<int64_t>(shape.size);
    }
    begin = static_cast<int32_t>(threadIdx.x) * kVectorElements;
    step = static_cast<int32_t>(blockDim.x) * kVectorElements;
  }
};

/// The sum over the threads of a vector; all of them get it. `shared` has 32 elements.
__device__ __forceinline__ float norm_sum(float x, float* shared) {
  const auto add = [](float a, float b) { return a + b; };
  return blockDim.x == 32 ? warp_reduce(x, add) : block_reduce(x, 0.0f, shared, add);
}

}  // namespace moa::cuda
