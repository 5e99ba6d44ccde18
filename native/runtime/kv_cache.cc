#include "moa/kv_cache.h"

#include <string>

#include "moa/error.h"

namespace moa {

KvCache::KvCache(KvCacheSpec spec)
    : enqueued_lengths(static_cast<size_t>(spec.sequences), 0),
      spec_(std::move(spec)),
      stored_(std::make_unique<std::atomic<int32_t>[]>(static_cast<size_t>(spec_.sequences) *
                                                       static_cast<size_t>(spec_.layers))),
      lengths_(static_cast<size_t>(spec_.sequences), 0),
      incomplete_(static_cast<size_t>(spec_.sequences), false) {}

void KvCache::expect_stored(int sequence, int layer, int32_t tokens) const {
  const auto name = [&] { return "sequence " + std::to_string(sequence) + " of the KV cache"; };
  if (incomplete_[static_cast<size_t>(sequence)]) {
    throw_invalid("a reset before any other use", name(),
                  "an op: an earlier failure lost its tokens");
  }
  const int32_t stored = stored_tokens(sequence, layer);
  if (stored < tokens) {
    throw_invalid(std::to_string(tokens) + " appended tokens",
                  "layer " + std::to_string(layer) + ", " + name(), std::to_string(stored));
  }
}

void KvCache::reserve(int sequence, int layer, int32_t first, int32_t count) {
  expect_stored(sequence, layer, first);
  const int32_t tokens = first + count;
  if (spec_.policy == CachePolicy::kDynamic) grow(sequence, layer, first, tokens);
  stored_[layer_index(sequence, layer)].store(tokens, std::memory_order_relaxed);
}

int64_t KvCache::resident_bytes() const {
  int64_t bytes = 0;
  for (const double head : resident_bytes_per_head()) bytes += static_cast<int64_t>(head);
  return bytes;
}

std::vector<double> KvCache::resident_bytes_per_head() const {
  const size_t heads = static_cast<size_t>(spec_.kv_heads);
  const size_t layers = static_cast<size_t>(spec_.layers);
  std::vector<double> bytes(layers * heads, 0.0);
  for (size_t row = 0; row < layer_index(spec_.sequences, 0); ++row) {
    for (size_t h = 0; h < heads; ++h) {
      const int32_t slots = spec_.policy == CachePolicy::kDynamic
                                ? stored_[row].load()
                                : spec_.capacities[row * heads + h];
      bytes[row % layers * heads + h] += 2.0 * slots * static_cast<double>(spec_.token_bytes());
    }
  }
  return bytes;
}

void KvCache::reset(int sequence) {
  for (int layer = 0; layer < spec_.layers; ++layer)
    stored_[layer_index(sequence, layer)].store(0, std::memory_order_relaxed);
  lengths_[static_cast<size_t>(sequence)] = 0;
  incomplete_[static_cast<size_t>(sequence)] = false;
}

void KvCache::advance(View<int32_t> sequences, View<int32_t> counts, bool complete) {
  for (size_t i = 0; i < sequences.size(); ++i) {
    const auto sequence = static_cast<size_t>(sequences[i]);
    lengths_[sequence] += counts[i];
    if (!complete) incomplete_[sequence] = true;
  }
}

}  // namespace moa
