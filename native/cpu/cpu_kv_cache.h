#pragma once
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
  int32_t capacity = 0;    // slots; with kDynamic exactly the tokens stored
};

/// `ring` and `full`: one arena, [sequences][layers][kv_heads] blocks of keys [capacity, D] then
/// values [capacity, D], so that a head whose span is short costs what it stores and nothing is
/// padded. `dynamic`: per (sequence, layer) one exact-size buffer, keys [Hkv, stored, D] then values,
/// made anew at every append. Stream thread only.
class CpuKvCache final : public KvCache {
 public:
  CpuKvCache(KvCacheSpec spec, std::shared_ptr<MemoryPool> pool);

  HeadSlots head(int sequence, int layer, int kv_head) const;
  void reset(int sequence) override;

 private:
  void grow(int sequence, int layer, int32_t kept, int32_t tokens) override;

  std::shared_ptr<MemoryPool> pool_;
  std::shared_ptr<Allocation> arena_;  // kRing, kFull
  std::vector<int64_t>
      offsets_;  // [sequences, layers, kv_heads] bytes from the arena's start to the keys
  std::vector<std::shared_ptr<Allocation>> grown_;  // kDynamic: [sequences, layers]
};

inline const CpuKvCache& cpu_cache(const KvCache* cache) {
  return *static_cast<const CpuKvCache*>(cache);
}
inline CpuKvCache& cpu_cache(KvCache* cache) {
  return *static_cast<CpuKvCache*>(cache);
}

}  // namespace moa::cpu
