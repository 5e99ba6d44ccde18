#include "cpu/cache_store.h"
#include "cpu/cpu_ops.h"
#include "cpu/parallel.h"

namespace moa::cpu {

namespace {

/// Appends the tokens of a segment to the cache of one head. A ring keeps only the sinks and the
/// last `window` tokens, so tokens that a later token of the same segment would overwrite are not
/// written.
template <class T>
void append_head(const CacheAppendParams& params, const CpuKvCache& cache, const Segment& segment,
                 int kv_head) {
  const HeadSlots head = cache.head(segment.sequence, params.layer, kv_head);
  const int64_t column = static_cast<int64_t>(kv_head) * cache.spec().head_dim;
  const int32_t end = segment.first_position + segment.row_count;
  const int32_t first_kept = end - (head.capacity - cache.spec().sink);
  for (int32_t i = 0; i < segment.row_count; ++i) {
    const int32_t position = segment.first_position + i;
    if (position >= cache.spec().sink && position < first_kept && cache.windowed()) continue;
    const int64_t row = segment.row_start + i;
    store_token<T>(cache, head, position, params.k.row<const float>(row) + column,
                   params.v.row<const float>(row) + column);
  }
}

}  // namespace

void cache_append(const CacheAppendParams& params) {
  CpuKvCache& cache = cpu_cache(params.cache);
  for (const Segment& segment : params.segments) {
    cache.reserve(segment.sequence, params.layer, segment.first_position, segment.row_count);
  }
  const int kv_heads = cache.spec().kv_heads;
  const auto items = static_cast<int64_t>(params.segments.size()) * kv_heads;
  dispatch_float(cache.spec().dtype, [&]<class T>(T) {
#pragma omp parallel for schedule(dynamic) if (params.k.size() > kParallelElements)
    for (int64_t item = 0; item < items; ++item) {
      append_head<T>(params, cache, params.segments[static_cast<size_t>(item / kv_heads)],
                     static_cast<int>(item % kv_heads));
    }
  });
}

}  // namespace moa::cpu
