#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "moa/kv_cache.h"
#include "moa/memory.h"

namespace moa::cpu {

/// The keys and the values of one KV head of one sequence in one layer; each of the two is
/// contiguous. Elements have the dtype of the cache.
struct HeadSlots {
  void* keys = nullptr;    // [capacity, D]
  void* values = nullptr;  // [capacity, D]
  int32_t capacity = 0;    // slots; with kDynamic exactly the tokens stored
};

/// `ring` and `full` use one arena: [sequences][layers][kv_heads] blocks, each with keys [capacity,
/// D] and then values [capacity, D]. A head with a short span therefore takes only the bytes that
/// it needs, and nothing is padded. `dynamic` uses one buffer of exact size per (sequence, layer):
/// keys [Hkv, stored, D], then values; every append makes a new one. Stream thread only.
class CpuKvCache final : public KvCache {
 public:
  CpuKvCache(KvCacheSpec spec, std::shared_ptr<MemoryPool> pool);

  HeadSlots head(int sequence, int layer, int kv_head) const;
  void reset(int sequence) override;

 private:
  void grow(int sequence, int layer, int32_t kept, int32_t tokens) override;

  std::shared_ptr<MemoryPool> pool_;
  std::shared_ptr<Allocation> arena_;  // kRing, kFull
  // [sequences, layers, kv_heads] bytes from the start of the arena to the keys of a head.
  std::vector<int64_t> offsets_;
  std::vector<std::shared_ptr<Allocation>> grown_;  // kDynamic: [sequences, layers]
};

inline const CpuKvCache& cpu_cache(const KvCache* cache) {
  return *static_cast<const CpuKvCache*>(cache);
}
inline CpuKvCache& cpu_cache(KvCache* cache) {
  return *static_cast<CpuKvCache*>(cache);
}

}  // namespace moa::cpu
