#include "cpu/cpu_kv_cache.h"

#include <cstring>

namespace moa::cpu {

CpuKvCache::CpuKvCache(KvCacheSpec cache_spec, std::shared_ptr<MemoryPool> pool)
    : KvCache(std::move(cache_spec)), pool_(std::move(pool)) {
  if (spec().policy == CachePolicy::kDynamic) {
    grown_.resize(layer_index(spec().sequences, 0));
    return;
  }
  offsets_.reserve(spec().capacities.size());
  int64_t bytes = 0;
  for (const int32_t capacity : spec().capacities) {
    offsets_.push_back(bytes);
    bytes += 2 * capacity * spec().token_bytes();
  }
  arena_ = pool_->allocate(bytes, MemoryKind::kKv, "the KV cache");
}

HeadSlots CpuKvCache::head(int sequence, int layer, int kv_head) const {
  const size_t row = layer_index(sequence, layer);
  if (spec().policy == CachePolicy::kDynamic) {
    const int32_t stored = stored_tokens(sequence, layer);
    if (stored == 0) return {};
    const int64_t block = stored * spec().token_bytes();
    char* keys = static_cast<char*>(grown_[row]->data()) + kv_head * block;
    return {keys, keys + spec().kv_heads * block, stored};
  }
  const size_t index = row * static_cast<size_t>(spec().kv_heads) + static_cast<size_t>(kv_head);
  const int32_t capacity = spec().capacities[index];
  char* keys = static_cast<char*>(arena_->data()) + offsets_[index];
  return {keys, keys + capacity * spec().token_bytes(), capacity};
}

void CpuKvCache::grow(int sequence, int layer, int32_t kept, int32_t tokens) {
  std::shared_ptr<Allocation>& grown = grown_[layer_index(sequence, layer)];
  const int64_t token = spec().token_bytes();
  const int blocks = 2 * spec().kv_heads;  // keys of every head, then values of every head
  auto buffer = pool_->allocate(blocks * tokens * token, MemoryKind::kKv, "the dynamic KV cache");
  const int64_t old_block = stored_tokens(sequence, layer) * token;
  for (int block = 0; block < blocks && kept > 0; ++block) {
    std::memcpy(static_cast<char*>(buffer->data()) + block * tokens * token,
                static_cast<const char*>(grown->data()) + block * old_block,
                static_cast<size_t>(kept * token));
  }
  grown = std::move(buffer);
}

void CpuKvCache::reset(int sequence) {
  KvCache::reset(sequence);
  if (spec().policy != CachePolicy::kDynamic) return;
  for (int layer = 0; layer < spec().layers; ++layer) grown_[layer_index(sequence, layer)].reset();
}

}  // namespace moa::cpu
