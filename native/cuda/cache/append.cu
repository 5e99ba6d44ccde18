// k, v [T, Hkv, D] of prefilled segments -> the slots of the cache that belong to their positions
// (cache/tile.h), converted to its dtype. A thread moves a vector of 8 elements. Rows that the
// segment itself would evict again are left out.
// Measured: reports/cuda/2026-11-24-h200
#include <algorithm>

#include "cuda/cache/store.cuh"
#include "cuda/host/ops.h"

namespace moa::cuda {

namespace {

constexpr int kAppendThreads = 256;
constexpr int32_t kListedSegments = 128;  // per launch: 2 KB of params

template <class T>
struct AppendParams {
  CacheStore cache;
  RowAccess<T> k, v;  // [T, Hkv, D]
  bool aligned;       // vectors of both tensors are 16-byte aligned
  Segment segments[kListedSegments];
};

/// Whether a later token of the segment takes the same slot of a ring. Only the newest token of a
/// slot is written.
__device__ __forceinline__ bool overwritten(const Segment& segment, int32_t position, int32_t sink,
                                            int32_t capacity) {
  const int32_t end = segment.first_position + segment.row_count;
  return position >= sink && position < end - (capacity - sink);
}

/// blockIdx.y is the segment.
template <class T>
__global__ void __launch_bounds__(kAppendThreads)
    cache_append_scatter_kernel(const __grid_constant__ AppendParams<T> params) {
  const CacheStore& cache = params.cache;
  const Segment& segment = params.segments[blockIdx.y];
  const int32_t vectors = cache.head_dim / kVectorElements;
  const int32_t row_vectors = cache.kv_heads * vectors;  // of keys, and of values
  const uint32_t index = blockIdx.x * kAppendThreads + threadIdx.x;
  const uint32_t token_vectors = 2 * static_cast<uint32_t>(row_vectors);
  const int64_t row = index / token_vectors;
  if (row >= segment.row_count) return;
  int32_t vector = static_cast<int32_t>(index % token_vectors);
  const bool value = vector >= row_vectors;
  if (value) vector -= row_vectors;
  const int32_t kv_head = vector / vectors;
  const int32_t element = (vector - kv_head * vectors) * kVectorElements;
  const int32_t position = segment.first_position + static_cast<int32_t>(row);
  const int64_t head = cache.head_index(segment.sequence, kv_head);
  const int32_t capacity = cache.capacities[head];
  if (cache.windowed && overwritten(segment, position, cache.sink, capacity)) return;
  const int32_t slot = cache.slot_of(position, capacity);
  if (slot < 0) return;
  const int64_t column = static_cast<int64_t>(vector) * kVectorElements;
  float x[kVectorElements];
  (value ? params.v : params.k)
      .load(segment.row_start + row, column, kVectorElements, params.aligned, x);
  cache.store(head, capacity, slot, value, element, kVectorElements, true, x);
}

/// Threads count vectors with 32 bits. 2^31 vectors are 2^34 elements: 32 GiB of keys and values.
constexpr int64_t kMostVectors = int64_t{1} << 31;

template <class T>
void launch(Context& context, const CacheAppendParams& params, const CacheView& cache) {
  AppendParams<T> kernel_params{};
  kernel_params.cache = CacheStore(cache, params.layer);
  kernel_params.k = RowAccess<T>(params.k);
  kernel_params.v = RowAccess<T>(params.v);
  kernel_params.aligned = aligned_rows({params.k, params.v}, cache.head_dim);
  const auto total = static_cast<int32_t>(params.segments.count);
  for (int32_t first = 0; first < total; first += kListedSegments) {
    const int32_t count = std::min(kListedSegments, total - first);
    std::copy_n(params.segments.begin() + first, count, kernel_params.segments);
    int64_t rows = 0;
    for (int32_t i = 0; i < count; ++i)
      rows = std::max<int64_t>(rows, kernel_params.segments[i].row_count);
    const int64_t vectors = rows * 2 * cache.kv_heads * (cache.head_dim / kVectorElements);
    if (vectors > kMostVectors) {
      throw Error(ErrorCode::kUnsupported,
                  "Expected at most 2^34 elements in one call for cacheAppend but received more");
    }
    const auto blocks = static_cast<unsigned>((vectors + kAppendThreads - 1) / kAppendThreads);
    const dim3 grid(blocks, static_cast<unsigned>(count));
    cache_append_scatter_kernel<T><<<grid, kAppendThreads, 0, context.stream>>>(kernel_params);
    MOA_CUDA_CHECK_LAUNCH();
  }
}

}  // namespace

void cache_append(Context& context, const CacheAppendParams& params, const CacheView& cache) {
  if (params.k.dtype != params.v.dtype) return launch<Any>(context, params, cache);
  with_float_type(params.k.dtype, "cacheAppend.k",
                  [&]<class T>() { launch<T>(context, params, cache); });
}

}  // namespace moa::cuda
