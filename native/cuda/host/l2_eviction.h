#pragma once
// For timing what a step of a model would find in L2: nothing.
#include "cuda/host/context.h"

namespace moa::cuda {

/// Memory of twice the L2's size, outside the pool and the account; freed with this.
class L2Eviction {
 public:
  /// Null when memory is short.
  static std::unique_ptr<L2Eviction> if_fits(const Context& context);
  ~L2Eviction();
  L2Eviction(const L2Eviction&) = delete;
  /// Enqueues reading all of it: lines that are only read are replaced without being written back.
  void run(const Context& context) const;

 private:
  L2Eviction() = default;
  void* data_ = nullptr;
  int64_t bytes_ = 0;
};

}  // namespace moa::cuda
