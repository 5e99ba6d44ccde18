#pragma once
// The addon's side of libmoabench_cuda.so: C++ only, no CUDA headers.
#include <string>

#include "moa/cuda_abi.h"

namespace moa::cuda {

/// Opens the library at `path` on the first call that succeeds; later calls return the same library
/// whatever their path, and it is never closed. Throws kUnavailable with the reason when the file
/// is missing, cannot be loaded or has another version.
const Api& load_library(const std::string& path);

/// Throws the Error for a status that is not 0.
void check_status(const Api& api, int32_t status);

}  // namespace moa::cuda
