// q, out, gradOut [T, H, D], k, v [T, Hkv, D], logSumExp [T, H] of dense causal attention -> gradQ,
// gradK, gradV (semantics in src/native/backend.ts). This file chooses between the kernels of
// gradient/backward_simt.cu, backward_mma.cu and backward_{keys,queries}_wgmma.cu, where the
// measurements are named.
#include "cuda/gradient/launch.cuh"
#include "cuda/host/ops.h"

namespace moa::cuda {

void attention_backward(Context& context, const AttentionBackwardParams& params) {
  const auto& p = params;
  const GradientKernel kernel =
      gradient_kernel(context, "attentionBackward",
                      {p.q, p.k, p.v, p.out, p.grad_out, p.grad_q, p.grad_k, p.grad_v});
  switch (kernel) {
    case GradientKernel::kSimt:
      return attention_backward_simt(context, params);
    case GradientKernel::kMma:
      return attention_backward_mma(context, params);
    case GradientKernel::kWgmma:
      return attention_backward_wgmma(context, params);
  }
}

}  // namespace moa::cuda
