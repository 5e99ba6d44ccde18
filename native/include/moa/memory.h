#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

namespace moa {

enum class MemoryKind : uint8_t { kWeights, kKv, kWorkspace };

/// Where a backend's bytes come from: the heap on `cpu`, the device on `cuda`. Called from any
/// thread.
class RawAllocator {
 public:
  virtual ~RawAllocator() = default;
  /// Zero-filled memory aligned to at least 64 bytes, or nullptr when there is none.
  virtual void* allocate(int64_t bytes) = 0;
  virtual void release(void* data) = 0;
  /// What the device holds in all: no allocation can pass it, whatever the operating system
  /// promises.
  virtual int64_t total_bytes() const = 0;
};

class MemoryPool;

/// One block of device memory. Freed, and taken off the pool's account, when the last owner lets
/// go: the tensor, its cache, or an op still waiting on the stream.
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

/// Exact account of one backend's memory, per kind, with peak and limit. Thread-safe.
class MemoryPool : public std::enable_shared_from_this<MemoryPool> {
 public:
  explicit MemoryPool(std::shared_ptr<RawAllocator> allocator);

  /// Zero-filled; throws kOutOfMemory, and then nothing has changed. `name` says in the message
  /// what was wanted.
  std::shared_ptr<Allocation> allocate(int64_t bytes, MemoryKind kind, const char* name);

  int64_t bytes(MemoryKind kind) const;
  int64_t peak_bytes() const;
  void reset_peak();
  void set_limit(int64_t bytes);  // 0: none but the device's own

 private:
  friend class Allocation;
  void release(void* data, int64_t bytes, MemoryKind kind);

  std::shared_ptr<RawAllocator> allocator_;
  mutable std::mutex mutex_;
  std::array<int64_t, 3> used_{};  // bytes by MemoryKind
  int64_t total_ = 0, peak_ = 0, limit_ = 0;
};

}  // namespace moa
