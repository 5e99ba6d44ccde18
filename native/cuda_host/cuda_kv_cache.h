#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "cuda_host/cuda_device.h"
#include "moa/kv_cache.h"
#include "moa/memory.h"

namespace moa::cuda {

/// Keys and values in device memory, in the tiles that CacheView describes. `ring` and `full` use
/// one arena. `dynamic` uses one buffer of exact size per (sequence, layer); every append makes a
/// new one.
///
/// Kernels read lengths that are on the device, so that a recorded step can be replayed. The host
/// keeps the same lengths.
class CudaKvCache final : public KvCache {
 public:
  CudaKvCache(KvCacheSpec spec, std::shared_ptr<CudaDevice> device,
              std::shared_ptr<MemoryPool> pool);

  // Stream thread.
  /// What kernels read. First writes to the device what is missing there.
  const CacheView& view();
  /// Runs decode_plan for a step of these sequences, unless a valid plan exists: one that was made
  /// since lengths last changed, in the same recording (or also outside any).
  void plan_decode(View<int32_t> sequences, uint64_t recording);
  void reset(int sequence) override;
  void advance(View<int32_t> sequences, View<int32_t> counts, bool complete) override;

 private:
  void grow(int sequence, int layer, int32_t kept, int32_t tokens) override;
  void write_layer_tables(int sequence, int layer);
  void write_tables();
  void write_lengths();
  size_t head_index(int sequence, int layer) const {
    return layer_index(sequence, layer) * static_cast<size_t>(spec().kv_heads);
  }

  std::shared_ptr<CudaDevice> device_;
  std::shared_ptr<MemoryPool> pool_;
  std::shared_ptr<Allocation> arena_;               // kRing, kFull
  std::vector<std::shared_ptr<Allocation>> grown_;  // kDynamic: [sequences, layers]
  std::vector<uint64_t> heads_;                     // [sequences, layers, kv_heads]
  std::vector<int32_t> capacities_;                 // [sequences, layers, kv_heads]
  DeviceTable device_heads_, device_capacities_, device_lengths_, device_plan_;
  CacheView view_;
  bool tables_written_ = false;
  bool lengths_stale_ = false;              // the device has old lengths after a failure
  std::vector<int32_t> planned_sequences_;  // empty: no plan
  uint64_t planned_recording_ = 0;
};

}  // namespace moa::cuda
