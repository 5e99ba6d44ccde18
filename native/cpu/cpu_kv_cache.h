#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "moa/kv_cache.h"
#include "moa/memory.h"

namespace moa::cpu {

/// Keys and values of one KV head of one sequence in one layer, each contiguous. Elements have the
/// cache's dtype.
struct HeadSlots {
  void* keys = nullptr;    // [capacity, D]
  void* values = nullptr;  // [capacity, D]
  int32_t capacity = 0;    // slots; with kGrow exactly the tokens stored
};

/// `ring` and `full`: one arena, [sequences][layers][kv_heads] blocks of keys [capacity, D] then
/// values [capacity, D], so that a head whose span is short costs what it stores and nothing is
/// padded. `grow`: per (sequence, layer) one exact-size buffer, keys [Hkv, stored, D] then values,
/// made anew at every append.
///
/// The token at position p lives in slot ring_slot(p, spec().sink, capacity) under every policy:
/// `full` and `grow` never wrap. With n tokens stored, slots [0, live_slots(n, capacity)) hold
/// tokens; the ring's order is arbitrary, which softmax ignores. All methods below but the resident
/// ones belong to the stream thread.
class CpuKvCache final : public KvCache {
 public:
  CpuKvCache(KvCacheSpec spec, std::shared_ptr<MemoryPool> pool);

  HeadSlots head(int sequence, int layer, int kv_head) const;
  /// Tokens seen, not counting those appended since the last advance: the position of the next
  /// token.
  int32_t length(int sequence) const { return lengths_[static_cast<size_t>(sequence)]; }
  /// Whether old tokens leave: the mask is then sink + window per head, window = capacity - sink;
  /// otherwise causal only.
  bool windowed() const { return spec().policy == CachePolicy::kRing; }
  /// Throws unless tokens [0, tokens) of the sequence have been appended to the layer (a ring may
  /// have dropped the older ones).
  void expect_stored(int sequence, int layer, int32_t tokens) const;
  /// Makes slots for tokens [first, first + count); with kGrow this is the reallocation and the
  /// copy of all before.
  void reserve(int sequence, int layer, int32_t first, int32_t count);

  int64_t resident_bytes() const override;
  std::vector<double> resident_bytes_per_head() const override;
  std::vector<int32_t> lengths() const override { return lengths_; }
  void reset(int sequence) override;
  void advance(int sequence, int32_t count, bool complete) override;

 private:
  struct StoredLayer {
    std::shared_ptr<Allocation> buffer;  // kGrow only
    std::atomic<int32_t> tokens{
        0};  // appended; atomic because resident_bytes reads it from another thread
  };
  size_t layer_index(int sequence, int layer) const {
    return static_cast<size_t>(sequence) * static_cast<size_t>(spec().layers) +
           static_cast<size_t>(layer);
  }
  int64_t token_bytes() const;  // one head's key, or value, of one token

  std::shared_ptr<MemoryPool> pool_;
  std::shared_ptr<Allocation> arena_;  // kRing, kFull
  std::vector<int64_t>
      offsets_;  // [sequences, layers, kv_heads] bytes from the arena's start to the keys
  std::unique_ptr<StoredLayer[]> stored_layers_;  // [sequences, layers]
  std::vector<int32_t> lengths_;                  // [sequences]
  std::vector<bool> incomplete_;                  // [sequences] tokens were lost to a failure
};

inline const CpuKvCache& cpu_cache(const KvCache* cache) {
  return *static_cast<const CpuKvCache*>(cache);
}
inline CpuKvCache& cpu_cache(KvCache* cache) {
  return *static_cast<CpuKvCache*>(cache);
}

}  // namespace moa::cpu
