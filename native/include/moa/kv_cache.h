#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "moa/ring.h"
#include "moa/tensor.h"
#include "moa/view.h"

namespace moa {

enum class CachePolicy : uint8_t { kRing, kFull, kDynamic };

struct KvCacheSpec {
  CachePolicy policy = CachePolicy::kRing;
  int sequences = 0, layers = 0, kv_heads = 0, head_dim = 0;
  DType dtype = DType::kF32;
  int sink = 64;
  std::vector<int32_t> capacities;  // [sequences, layers, kv_heads] slots; empty for kDynamic

  int32_t capacity(int sequence, int layer, int kv_head) const {
    const int64_t row = static_cast<int64_t>(sequence) * layers + layer;
    return capacities[static_cast<size_t>(row * kv_heads + kv_head)];
  }
  /// One head's key, or value, of one token.
  int64_t token_bytes() const { return head_dim * static_cast<int64_t>(bytes_per_element(dtype)); }
};

/// A backend's cache. What is stored is counted here; where and how it is stored is up to the
/// backend.
///
/// The token at position p lives in slot ring_slot(p, spec().sink, capacity) under every policy:
/// `full` and `dynamic` never wrap. With n tokens stored, slots [0, live_slots(n, capacity)) hold
/// tokens; the ring's order is arbitrary, which softmax ignores.
class KvCache {
 public:
  explicit KvCache(KvCacheSpec spec);
  virtual ~KvCache() = default;
  KvCache(const KvCache&) = delete;
  KvCache& operator=(const KvCache&) = delete;

  const KvCacheSpec& spec() const { return spec_; }
  /// Whether old tokens are evicted. The mask is then sink + window per head, with window =
  /// capacity - sink; otherwise it is causal only.
  bool windowed() const { return spec_.policy == CachePolicy::kRing; }
  // Callable from any thread. `ring` and `full` hold all their slots from the start; `dynamic`
  // holds exactly its tokens.
  int64_t resident_bytes() const;
  std::vector<double> resident_bytes_per_head() const;  // [layers, kv_heads], over sequences

  // Stream thread only.
  /// Tokens seen, not counting those appended since the last advance: the position of the next
  /// token.
  int32_t length(int sequence) const { return lengths_[static_cast<size_t>(sequence)]; }
  const std::vector<int32_t>& lengths() const { return lengths_; }  // [sequences]
  /// Throws unless tokens [0, tokens) of the sequence have been appended to the layer (a ring may
  /// have dropped the older ones).
  void expect_stored(int sequence, int layer, int32_t tokens) const;
  /// Makes slots for tokens [first, first + count), which the caller then writes; with kDynamic
  /// this reallocates the storage and copies all earlier tokens.
  void reserve(int sequence, int layer, int32_t first, int32_t count);
  // Forgets all tokens of the sequence. Like `advance`, it does not throw.
  virtual void reset(int sequence);
  /// lengths[sequences[i]] += counts[i]. `complete` is false when ops before this call were skipped
  /// after a failure. The sequences then still get the lengths that the host expects, but their
  /// tokens are lost, and every use of them throws until they are reset.
  virtual void advance(View<int32_t> sequences, View<int32_t> counts, bool complete);

  /// The lengths that will hold once everything enqueued so far has run. Owned by the enqueueing
  /// thread; validation uses them.
  std::vector<int32_t> enqueued_lengths;  // [sequences]

 protected:
  /// kDynamic: makes storage for exactly `tokens` tokens and copies the first `kept` tokens into
  /// it.
  virtual void grow(int sequence, int layer, int32_t kept, int32_t tokens) = 0;
  int32_t stored_tokens(int sequence, int layer) const {
    return stored_[layer_index(sequence, layer)].load(std::memory_order_relaxed);
  }
  size_t layer_index(int sequence, int layer) const {
    return static_cast<size_t>(sequence) * static_cast<size_t>(spec_.layers) +
           static_cast<size_t>(layer);
  }

 private:
  KvCacheSpec spec_;
  // [sequences, layers] tokens appended; atomic because resident_bytes reads from another thread.
  std::unique_ptr<std::atomic<int32_t>[]> stored_;
  std::vector<int32_t> lengths_;  // [sequences]
  std::vector<bool> incomplete_;  // [sequences] tokens were lost to a failure
};

}  // namespace moa
