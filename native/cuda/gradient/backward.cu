// Backward of dense causal attention: semantics in src/native/backend.ts.
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
