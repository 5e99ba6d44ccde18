#pragma once
#include <memory>
#include <string>

#include "moa/backend.h"

namespace moa::cuda {

/// A backend on one CUDA device. `library` is the path of libmoabench_cuda.so. Throws kUnavailable
/// with the reason when there is no library, driver or suitable device.
std::unique_ptr<Backend> make_cuda_backend(const std::string& library, int device);

}  // namespace moa::cuda
