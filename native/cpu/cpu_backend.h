#pragma once
#include <memory>

#include "moa/backend.h"

namespace moa::cpu {

/// The embedded default backend. `threads`: OpenMP threads of its stream thread, >= 1.
std::unique_ptr<Backend> make_cpu_backend(int threads);

}  // namespace moa::cpu
