#include "cuda_host/cuda_device.h"

#include "cuda_host/cuda_library.h"
#include "moa/error.h"

namespace moa::cuda {

CudaDevice::CudaDevice(const Api& api, int device) : api_(api) {
  int32_t count = 0;
  check(api_.device_count(&count));
  if (device >= count) {
    throw Error(ErrorCode::kUnavailable, "Expected a CUDA device below " + std::to_string(count) +
                                             " but received " + std::to_string(device));
  }
  check(api_.create(device, &context_));
  try {
    check(api_.describe(context_, &info_));
  } catch (...) {
    api_.destroy(context_);
    throw;
  }
}

CudaDevice::~CudaDevice() {
  api_.destroy(context_);
}

void CudaDevice::check(int32_t status) const {
  check_status(api_, status);
}

void* CudaAllocator::allocate(int64_t bytes) {
  void* data = nullptr;
  const int32_t status = device_->api().allocate(device_->context(), bytes, &data);
  if (status == 1 + static_cast<int32_t>(ErrorCode::kOutOfMemory)) return nullptr;
  device_->check(status);
  return data;
}

void CudaAllocator::release(void* data) {
  device_->api().release(device_->context(), data);
}

DeviceTable::DeviceTable(std::shared_ptr<CudaDevice> device, int64_t bytes)
    : device_(std::move(device)) {
  device_->check(device_->api().allocate(device_->context(), bytes, &data_));
}

DeviceTable::~DeviceTable() {
  device_->api().release(device_->context(), data_);
}

}  // namespace moa::cuda
