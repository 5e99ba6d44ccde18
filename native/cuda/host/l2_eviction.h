#pragma once
// Empties L2 before a timing: a product in a step of a model finds none of its operands there
// either.
#include "cuda/host/context.h"

namespace moa::cuda {

/// A buffer that is twice as large as L2. It is not part of the pool, nobody counts it, and it is
/// freed with this object.
class L2Eviction {
 public:
  /// Null when there is not enough memory.
  static std::unique_ptr<L2Eviction> if_fits(const Context& context);
  ~L2Eviction();
  L2Eviction(const L2Eviction&) = delete;
  /// Enqueues a read of the whole buffer. Lines that were only read can later be replaced without
  /// being written back.
  void run(const Context& context) const;

 private:
  L2Eviction() = default;
  void* data_ = nullptr;
  int64_t bytes_ = 0;
};

}  // namespace moa::cuda
