#pragma once
// The addon's side of libmoabench_cuda.so: C++ only, no CUDA headers.
#include <string>

#include "moa/cuda_abi.h"

namespace moa::cuda {

/// Opens the library at `path` once per process, whatever the path later; never closes it. Throws
/// kUnavailable with the reason: not there, not loadable, or of another version.
const Api& load_library(const std::string& path);

/// Throws the Error that a status stands for.
void check_status(const Api& api, int32_t status);

}  // namespace moa::cuda
