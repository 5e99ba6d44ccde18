#pragma once
#include "moa/tensor.h"

namespace moa::cpu {

/// Copies contiguous host elements of dtype `from` into `out`. Floats are converted to the dtype of
/// `out`; i32 goes only to i32.
void upload(const void* data, DType from, const TensorRef& out);
/// Copies the elements of `x` to `out` in row-major order without gaps: floats as f32, i32 as i32.
void download(const TensorRef& x, void* out);

}  // namespace moa::cpu
