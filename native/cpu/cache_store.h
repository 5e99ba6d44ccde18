#pragma once
#include "cpu/cpu_kv_cache.h"
#include "cpu/float_convert.h"
#include "moa/tensor.h"

namespace moa::cpu {

/// Writes the token at `position` to one KV head: its key [D] and value [D], converted to the dtype
/// of the cache.
template <class T>
inline void store_token(const CpuKvCache& cache, const HeadSlots& head, int32_t position,
                        const float* key, const float* value) {
  const int64_t head_dim = cache.spec().head_dim;
  const int64_t offset = ring_slot(position, cache.spec().sink, head.capacity) * head_dim;
  from_floats(key, static_cast<T*>(head.keys) + offset, head_dim);
  from_floats(value, static_cast<T*>(head.values) + offset, head_dim);
}

}  // namespace moa::cpu
