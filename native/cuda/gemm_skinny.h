#pragma once
// GEMM of few rows, bound by reading b once.
#include "cuda/context.h"
#include "moa/ops.h"

namespace moa::cuda {

/// 1 to 16 rows; a and b of one 16-bit type, out of the same or float32; b as [N, K]; rows of a and
/// b readable in 16 bytes.
bool gemm_skinny_takes(const Context& context, const GemmParams& params);
/// out (+)= a . b^T (+ bias)
void gemm_skinny(Context& context, const GemmParams& params);

}  // namespace moa::cuda
