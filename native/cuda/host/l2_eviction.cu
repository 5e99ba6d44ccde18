// Reads a buffer that is twice as large as L2, in vectors of 16 bytes, so that the work that is
// timed next finds none of its data in L2.
// Measured: reports/cuda/2026-11-24-h200
#include "cuda/host/l2_eviction.h"

namespace moa::cuda {

namespace {

constexpr int kThreads = 512;
constexpr int kBlocksPerMultiprocessor = 4;

/// The store only keeps the compiler from removing the loads. The memory is all zeros, so it never
/// happens.
__global__ void l2_read_kernel(uint4* data, int64_t count) {
  uint32_t any = 0;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
#pragma unroll 4
  for (int64_t i = first; i < count; i += static_cast<int64_t>(gridDim.x) * kThreads) {
    const uint4 x = __ldcg(data + i);
    any |= x.x | x.y | x.z | x.w;
  }
  if (any != 0) data[first] = uint4{any, any, any, any};
}

}  // namespace

std::unique_ptr<L2Eviction> L2Eviction::if_fits(const Context& context) {
  std::unique_ptr<L2Eviction> result(new L2Eviction);
  result->bytes_ = int64_t{2} * context.properties.l2CacheSize;
  const auto size = static_cast<size_t>(result->bytes_);
  const cudaError_t status = cudaMalloc(&result->data_, size);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    return nullptr;
  }
  MOA_CUDA_CHECK(status);
  MOA_CUDA_CHECK(cudaMemsetAsync(result->data_, 0, size, context.stream));
  return result;
}

L2Eviction::~L2Eviction() {
  cudaFree(data_);
}

void L2Eviction::run(const Context& context) const {
  const auto grid = static_cast<unsigned>(kBlocksPerMultiprocessor * context.multiprocessors());
  l2_read_kernel<<<grid, kThreads, 0, context.stream>>>(static_cast<uint4*>(data_),
                                                        bytes_ / int64_t{sizeof(uint4)});
  MOA_CUDA_CHECK_LAUNCH();
}

}  // namespace moa::cuda
