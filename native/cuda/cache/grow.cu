// Heads of one layer of a dynamic cache, at their old and new addresses -> the same tokens in the
// new storage. Rows are copied unchanged, because their swizzle depends only on the slot. Only the
// values of the last tile change their place within the tile, because it has exactly as many slots
// as tokens. A thread copies one 16-byte chunk.
// Measured: reports/cuda/2026-11-24-h200
#include <algorithm>

#include "cuda/cache/tile.h"
#include "cuda/host/ops.h"

namespace moa::cuda {

namespace {

constexpr int kGrowThreads = 256;
constexpr int32_t kGrownHeads = 64;  // per launch: 1 KB of addresses

struct GrowKernelParams {
  uint64_t old_heads[kGrownHeads], new_heads[kGrownHeads];
  int32_t tokens, old_capacity, new_capacity, row_bytes;
};

/// blockIdx.y is the head; a thread copies one chunk.
__global__ void __launch_bounds__(kGrowThreads)
    cache_grow_copy_kernel(const __grid_constant__ GrowKernelParams params) {
  const int64_t index = static_cast<int64_t>(blockIdx.x) * kGrowThreads + threadIdx.x;
  const int32_t chunks = params.row_bytes / kChunkBytes;
  const int64_t row = index / chunks;  // the key and the value of a token alternate
  if (row >= 2 * static_cast<int64_t>(params.tokens)) return;
  const auto slot = static_cast<int32_t>(row / 2);
  const bool value = row % 2 != 0;
  const int64_t byte = (index - row * chunks) * kChunkBytes;
  const auto* from = reinterpret_cast<const char*>(params.old_heads[blockIdx.y]);
  auto* to = reinterpret_cast<char*>(params.new_heads[blockIdx.y]);
  *reinterpret_cast<uint4*>(to + byte +
                            slot_offset(slot, value, params.new_capacity, params.row_bytes)) =
      *reinterpret_cast<const uint4*>(
          from + byte + slot_offset(slot, value, params.old_capacity, params.row_bytes));
}

}  // namespace

void cache_grow(Context& context, const CacheView& cache, const GrowParams& params) {
  if (params.tokens == 0) return;
  GrowKernelParams kernel_params{};
  kernel_params.tokens = params.tokens;
  kernel_params.old_capacity = params.old_capacity;
  kernel_params.new_capacity = params.new_capacity;
  kernel_params.row_bytes = cache.head_dim * static_cast<int32_t>(bytes_per_element(cache.dtype));
  const int64_t chunks = int64_t{2} * params.tokens * (kernel_params.row_bytes / kChunkBytes);
  const auto blocks = static_cast<unsigned>((chunks + kGrowThreads - 1) / kGrowThreads);
  for (int32_t first = 0; first < params.kv_heads; first += kGrownHeads) {
    const int32_t heads = std::min(kGrownHeads, params.kv_heads - first);
    std::copy_n(params.old_heads + first, heads, kernel_params.old_heads);
    std::copy_n(params.new_heads + first, heads, kernel_params.new_heads);
    cache_grow_copy_kernel<<<dim3(blocks, static_cast<unsigned>(heads)), kGrowThreads, 0,
                             context.stream>>>(kernel_params);
    MOA_CUDA_CHECK_LAUNCH();
  }
}

}  // namespace moa::cuda
