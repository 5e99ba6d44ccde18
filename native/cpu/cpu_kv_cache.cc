#include "cpu/cpu_kv_cache.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "moa/error.h"

namespace moa::cpu {

CpuKvCache::CpuKvCache(KvCacheSpec cache_spec, std::shared_ptr<MemoryPool> pool)
    : KvCache(std::move(cache_spec)),
      pool_(std::move(pool)),
      stored_layers_(std::make_unique<StoredLayer[]>(static_cast<size_t>(spec().sequences) *
                                                     static_cast<size_t>(spec().layers))),
      lengths_(static_cast<size_t>(spec().sequences), 0),
      incomplete_(static_cast<size_t>(spec().sequences), false) {
  if (spec().policy == CachePolicy::kGrow) return;
  offsets_.reserve(spec().capacities.size());
  int64_t bytes = 0;
  for (const int32_t capacity : spec().capacities) {
    offsets_.push_back(bytes);
    bytes += 2 * capacity * token_bytes();
  }
  arena_ = pool_->allocate(bytes, MemoryKind::kKv, "the KV cache");
}

int64_t CpuKvCache::token_bytes() const {
  return spec().head_dim * static_cast<int64_t>(bytes_per_element(spec().dtype));
}

HeadSlots CpuKvCache::head(int sequence, int layer, int kv_head) const {
  const size_t row = layer_index(sequence, layer);
  if (spec().policy == CachePolicy::kGrow) {
    const StoredLayer& grown = stored_layers_[row];
    const int32_t stored = grown.tokens.load(std::memory_order_relaxed);
    if (stored == 0) return {};
    const int64_t block = stored * token_bytes();
    char* keys = static_cast<char*>(grown.buffer->data()) + kv_head * block;
    return {keys, keys + spec().kv_heads * block, stored};
  }
  const size_t index = row * static_cast<size_t>(spec().kv_heads) + static_cast<size_t>(kv_head);
  const int32_t capacity = spec().capacities[index];
  char* keys = static_cast<char*>(arena_->data()) + offsets_[index];
  return {keys, keys + capacity * token_bytes(), capacity};
}

void CpuKvCache::expect_stored(int sequence, int layer, int32_t tokens) const {
  const auto name = [&] { return "sequence " + std::to_string(sequence) + " of the KV cache"; };
  if (incomplete_[static_cast<size_t>(sequence)]) {
    throw_invalid("a reset", name(), "an op: its tokens were lost to an earlier failure");
  }
  const int32_t stored =
      stored_layers_[layer_index(sequence, layer)].tokens.load(std::memory_order_relaxed);
  if (stored < tokens) {
    throw_invalid(std::to_string(tokens) + " appended tokens",
                  "layer " + std::to_string(layer) + ", " + name(), std::to_string(stored));
  }
}

void CpuKvCache::reserve(int sequence, int layer, int32_t first, int32_t count) {
  expect_stored(sequence, layer, first);
  StoredLayer& stored = stored_layers_[layer_index(sequence, layer)];
  const int32_t tokens = first + count;
  if (spec().policy != CachePolicy::kGrow) {
    stored.tokens.store(tokens, std::memory_order_relaxed);
    return;
  }
  const int64_t token = token_bytes();
  const int blocks = 2 * spec().kv_heads;  // keys of every head, then values of every head
  auto buffer = pool_->allocate(blocks * tokens * token, MemoryKind::kKv, "the growing KV cache");
  const int64_t old_block = stored.tokens.load(std::memory_order_relaxed) * token;
  for (int block = 0; block < blocks && first > 0; ++block) {
    std::memcpy(static_cast<char*>(buffer->data()) + block * tokens * token,
                static_cast<const char*>(stored.buffer->data()) + block * old_block,
                static_cast<size_t>(first * token));
  }
  stored.buffer = std::move(buffer);
  stored.tokens.store(tokens, std::memory_order_relaxed);
}

int64_t CpuKvCache::resident_bytes() const {
  if (arena_) return arena_->bytes();
  int64_t tokens = 0;
  for (size_t i = 0; i < layer_index(spec().sequences, 0); ++i)
    tokens += stored_layers_[i].tokens.load();
  return 2 * tokens * spec().kv_heads * token_bytes();
}

std::vector<double> CpuKvCache::resident_bytes_per_head() const {
  const size_t heads = static_cast<size_t>(spec().kv_heads);
  const size_t layers = static_cast<size_t>(spec().layers);
  std::vector<double> bytes(layers * heads, 0.0);
  for (size_t row = 0; row < layer_index(spec().sequences, 0); ++row) {
    for (size_t h = 0; h < heads; ++h) {
      const int32_t slots =
          arena_ ? spec().capacities[row * heads + h] : stored_layers_[row].tokens.load();
      bytes[row % layers * heads + h] += 2.0 * slots * static_cast<double>(token_bytes());
    }
  }
  return bytes;
}

void CpuKvCache::reset(int sequence) {
  for (int layer = 0; layer < spec().layers; ++layer) {
    StoredLayer& stored = stored_layers_[layer_index(sequence, layer)];
    stored.tokens.store(0, std::memory_order_relaxed);
    stored.buffer.reset();
  }
  lengths_[static_cast<size_t>(sequence)] = 0;
  incomplete_[static_cast<size_t>(sequence)] = false;
}

void CpuKvCache::advance(int sequence, int32_t count, bool complete) {
  lengths_[static_cast<size_t>(sequence)] += count;
  if (!complete) incomplete_[static_cast<size_t>(sequence)] = true;
}

}  // namespace moa::cpu
