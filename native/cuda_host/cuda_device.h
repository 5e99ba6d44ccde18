#pragma once
#include <memory>
#include <string>

#include "moa/cuda_abi.h"
#include "moa/memory.h"

namespace moa::cuda {

/// A context of libmoabench_cuda.so, shared by everything that lives on it.
class CudaDevice {
 public:
  /// Throws kUnavailable without a driver or a suitable device.
  CudaDevice(const Api& api, int device);
  ~CudaDevice();
  CudaDevice(const CudaDevice&) = delete;
  CudaDevice& operator=(const CudaDevice&) = delete;

  const Api& api() const { return api_; }
  Context* context() const { return context_; }
  const DeviceInfo& info() const { return info_; }
  void check(int32_t status) const;

 private:
  const Api& api_;
  Context* context_ = nullptr;
  DeviceInfo info_;
};

/// Allocates and frees device memory in stream order, for a MemoryPool.
class CudaAllocator final : public RawAllocator {
 public:
  explicit CudaAllocator(std::shared_ptr<CudaDevice> device) : device_(std::move(device)) {}
  void* allocate(int64_t bytes) override;
  void release(void* data) override;
  int64_t total_bytes() const override { return device_->info().total_bytes; }

 private:
  std::shared_ptr<CudaDevice> device_;
};

/// Device memory that the pool does not count: tables with a few bytes per head.
class DeviceTable {
 public:
  DeviceTable(std::shared_ptr<CudaDevice> device, int64_t bytes);
  ~DeviceTable();
  DeviceTable(const DeviceTable&) = delete;
  DeviceTable& operator=(const DeviceTable&) = delete;

  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  std::shared_ptr<CudaDevice> device_;
  void* data_ = nullptr;
};

}  // namespace moa::cuda
