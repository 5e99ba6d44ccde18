#include "moa/memory.h"

#include <algorithm>
#include <string>

#include "moa/error.h"

namespace moa {

Allocation::Allocation(std::shared_ptr<MemoryPool> pool, void* data, int64_t bytes, MemoryKind kind)
    : pool_(std::move(pool)), data_(data), bytes_(bytes), kind_(kind) {}

Allocation::~Allocation() {
  pool_->release(data_, bytes_, kind_);
}

MemoryPool::MemoryPool(std::shared_ptr<RawAllocator> allocator)
    : allocator_(std::move(allocator)) {}

std::shared_ptr<Allocation> MemoryPool::allocate(int64_t bytes, MemoryKind kind, const char* name) {
  const std::lock_guard lock(mutex_);
  const int64_t ceiling =
      limit_ > 0 ? std::min(limit_, allocator_->total_bytes()) : allocator_->total_bytes();
  if (bytes > ceiling - total_) {
    throw Error(ErrorCode::kOutOfMemory,
                "Expected at most " + std::to_string(std::max<int64_t>(0, ceiling - total_)) +
                    " bytes for " + name + " but received a request for " + std::to_string(bytes) +
                    " (in use: " + std::to_string(total_) + ", limit: " + std::to_string(ceiling) +
                    ")");
  }
  void* data = allocator_->allocate(bytes);
  if (data == nullptr) {
    throw Error(ErrorCode::kOutOfMemory,
                "Expected " + std::to_string(bytes) + " bytes of free memory for " + name +
                    " but there is less (in use here: " + std::to_string(total_) +
                    "; other processes and fragmentation take room too)");
  }
  std::shared_ptr<Allocation> allocation;
  try {
    allocation = std::make_shared<Allocation>(shared_from_this(), data, bytes, kind);
  } catch (...) {
    allocator_->release(data);
    throw;
  }
  used_[static_cast<size_t>(kind)] += bytes;
  total_ += bytes;
  peak_ = std::max(peak_, total_);
  return allocation;
}

void MemoryPool::release(void* data, int64_t bytes, MemoryKind kind) {
  const std::lock_guard lock(mutex_);
  allocator_->release(data);
  used_[static_cast<size_t>(kind)] -= bytes;
  total_ -= bytes;
}

int64_t MemoryPool::bytes(MemoryKind kind) const {
  const std::lock_guard lock(mutex_);
  return used_[static_cast<size_t>(kind)];
}

int64_t MemoryPool::peak_bytes() const {
  const std::lock_guard lock(mutex_);
  return peak_;
}

void MemoryPool::reset_peak() {
  const std::lock_guard lock(mutex_);
  peak_ = total_;
}

void MemoryPool::set_limit(int64_t bytes) {
  const std::lock_guard lock(mutex_);
  limit_ = bytes;
}

}  // namespace moa
