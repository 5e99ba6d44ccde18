#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

namespace moa {

enum class MemoryKind : uint8_t { kWeights, kKv, kWorkspace };

/// Where a backend's memory comes from: the heap on `cpu`, the device on `cuda`. Called from any
/// thread.
class RawAllocator {
 public:
  virtual ~RawAllocator() = default;
  /// Zero-filled memory aligned to at least 64 bytes, or nullptr when there is none.
  virtual void* allocate(int64_t bytes) = 0;
  virtual void release(void* data) = 0;
  /// The size of the device's memory. No allocation may be larger, even where the operating system
  /// would promise more.
  virtual int64_t total_bytes() const = 0;
};

class MemoryPool;

/// One block of device memory. It is freed, and its pool stops counting it, when its last owner
/// releases it: a tensor, a cache, or an op that still waits on the stream.
class Allocation {
 public:
  Allocation(std::shared_ptr<MemoryPool> pool, void* data, int64_t bytes, MemoryKind kind);
  ~Allocation();
  Allocation(const Allocation&) = delete;
  Allocation& operator=(const Allocation&) = delete;

  void* data() const { return data_; }
  int64_t bytes() const { return bytes_; }

 private:
  std::shared_ptr<MemoryPool> pool_;
  void* data_;
  int64_t bytes_;
  MemoryKind kind_;
};

/// Counts one backend's memory exactly: per kind, with a peak and a limit. Thread-safe.
class MemoryPool : public std::enable_shared_from_this<MemoryPool> {
 public:
  explicit MemoryPool(std::shared_ptr<RawAllocator> allocator);

  /// Returns zero-filled memory, or throws kOutOfMemory and changes nothing. `name` says in the
  /// message what the memory was for.
  std::shared_ptr<Allocation> allocate(int64_t bytes, MemoryKind kind, const char* name);

  int64_t bytes(MemoryKind kind) const;
  int64_t peak_bytes() const;
  void reset_peak();
  void set_limit(int64_t bytes);  // 0: only the device's own limit

 private:
  friend class Allocation;
  void release(void* data, int64_t bytes, MemoryKind kind);

  std::shared_ptr<RawAllocator> allocator_;
  mutable std::mutex mutex_;
  std::array<int64_t, 3> used_{};  // bytes by MemoryKind
  int64_t total_ = 0, peak_ = 0, limit_ = 0;
};

}  // namespace moa
