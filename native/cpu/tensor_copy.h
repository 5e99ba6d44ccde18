#pragma once
#include "moa/tensor.h"

namespace moa::cpu {

/// Host elements of `from`, contiguous, into `out`, converted to its dtype (floats only; i32 to
/// i32).
void upload(const void* data, DType from, const TensorRef& out);
/// Elements in row-major order without gaps, floats as f32, i32 as i32.
void download(const TensorRef& x, void* out);

}  // namespace moa::cpu
