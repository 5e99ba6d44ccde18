#pragma once
#include <cstdint>
#include <utility>
#include <vector>

#include "moa/tensor.h"

namespace moa {

enum class CachePolicy : uint8_t { kRing, kFull, kGrow };

struct KvCacheSpec {
  CachePolicy policy = CachePolicy::kRing;
  int sequences = 0, layers = 0, kv_heads = 0, head_dim = 0;
  DType dtype = DType::kF32;
  int sink = 64;
  std::vector<int32_t> capacities;  // [sequences, layers, kv_heads] slots; empty for kGrow

  int32_t capacity(int sequence, int layer, int kv_head) const {
    const int64_t row = static_cast<int64_t>(sequence) * layers + layer;
    return capacities[static_cast<size_t>(row * kv_heads + kv_head)];
  }
};

/// A backend's cache: its layout and its residence are the backend's own business.
class KvCache {
 public:
  explicit KvCache(KvCacheSpec spec)
      : enqueued_lengths(static_cast<size_t>(spec.sequences), 0), spec_(std::move(spec)) {}
  virtual ~KvCache() = default;
  KvCache(const KvCache&) = delete;
  KvCache& operator=(const KvCache&) = delete;

  const KvCacheSpec& spec() const { return spec_; }
  // Callable from any thread.
  virtual int64_t resident_bytes() const = 0;
  virtual std::vector<double> resident_bytes_per_head()
      const = 0;  // [layers, kv_heads], summed over sequences

  // Stream thread only.
  virtual std::vector<int32_t> lengths() const = 0;  // [sequences] tokens seen
  virtual void reset(int sequence) = 0;
  /// lengths[sequence] += count. `complete` is false when ops before it were skipped after a
  /// failure: the sequence then has the length that the host counts with, but its tokens are lost
  /// and using it throws until it is reset.
  virtual void advance(int sequence, int32_t count, bool complete) = 0;

  /// Lengths once everything enqueued so far has run. Owned by the enqueueing thread; validation
  /// counts with it.
  std::vector<int32_t> enqueued_lengths;  // [sequences]

 private:
  KvCacheSpec spec_;
};

/// Ring arithmetic, shared by backends, tests and the plan: where the token at `position` lives,
/// and what is live. Tokens before `sink` keep their slot; later ones go round the window =
/// capacity - sink.
inline int32_t ring_slot(int32_t position, int32_t sink, int32_t capacity) {
  return position < sink ? position : sink + (position - sink) % (capacity - sink);
}
inline int32_t live_slots(int32_t length, int32_t capacity) {
  return length < capacity ? length : capacity;
}

}  // namespace moa
