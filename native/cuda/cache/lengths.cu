// lengths [sequences] on the device += counts; a reset sets one of them to 0. Kernels read lengths
// on the device, so that recorded steps can be replayed. One thread per sequence.
// Measured: reports/cuda/2026-11-24-h200
#include "cuda/cache/sequence_list.h"
#include "cuda/host/ops.h"

namespace moa::cuda {

namespace {

constexpr int kAdvanceThreads = 128;

struct AdvanceParams {
  int32_t* lengths;  // [sequences]
  SequenceList sequences;
  int32_t counts[kListedSequences];
};

__global__ void __launch_bounds__(kAdvanceThreads)
    cache_advance_listed_kernel(const __grid_constant__ AdvanceParams params) {
  const int32_t i = static_cast<int32_t>(blockIdx.x * kAdvanceThreads + threadIdx.x);
  if (i < params.sequences.count) params.lengths[params.sequences.values[i]] += params.counts[i];
}

}  // namespace

void cache_advance(Context& context, const CacheAdvanceParams& params, const CacheView& cache) {
  AdvanceParams kernel_params{};
  kernel_params.lengths = cache.lengths;
  for_each_sequence_list(params.sequences, [&](int32_t first, const SequenceList& list) {
    kernel_params.sequences = list;
    std::copy_n(params.counts.begin() + first, list.count, kernel_params.counts);
    const int blocks = (list.count + kAdvanceThreads - 1) / kAdvanceThreads;
    cache_advance_listed_kernel<<<blocks, kAdvanceThreads, 0, context.stream>>>(kernel_params);
    MOA_CUDA_CHECK_LAUNCH();
  });
}

void cache_reset(Context& context, const CacheView& cache, int sequence) {
  MOA_CUDA_CHECK(cudaMemsetAsync(cache.lengths + sequence, 0, sizeof(int32_t), context.stream));
}

}  // namespace moa::cuda
