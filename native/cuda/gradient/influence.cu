// q, out, gradOut [T, H, D], k, v [T, Hkv, D], logSumExp [T, H] -> elementwise, elementwise_sink,
// joint [Hkv, bins]: attention influence by distance, with the formulas of src/native/backend.ts.
// This file chooses between the kernels influence_{simt,mma,wgmma}.cu. They write partial sums per
// block of rows, which a kernel here adds in a fixed order.
// Measured: reports/cuda/2026-11-24-h200
#include "cuda/gradient/launch.cuh"
#include "cuda/host/ops.h"

namespace moa::cuda {
namespace {

struct SumParams {
  const float* partials;       // [blocks, H, 3, bins]
  HeadRows<float> outputs[3];  // [Hkv, bins] each
  int64_t blocks, bins;
  int32_t heads, group;
};

constexpr int kSumThreads = 64;

/// Grid (bins / kSumThreads, 3, Hkv): a thread sums one bin of one output of one KV head.
__global__ void __launch_bounds__(kSumThreads) influence_sum_kernel(const SumParams p) {
  const int64_t bin = static_cast<int64_t>(blockIdx.x) * kSumThreads + threadIdx.x;
  if (bin >= p.bins) return;
  const int32_t output = blockIdx.y, kv_head = blockIdx.z;
  double sum = 0;
  for (int64_t block = 0; block < p.blocks; ++block) {
    for (int32_t head = kv_head * p.group; head < (kv_head + 1) * p.group; ++head) {
      sum += p.partials[((block * p.heads + head) * 3 + output) * p.bins + bin];
    }
  }
  float* out = (output == 0   ? p.outputs[0]
                : output == 1 ? p.outputs[1]
                              : p.outputs[2])
                   .row(kv_head, bin);
  *out = static_cast<float>(*out + sum);
}

}  // namespace

void add_influence_partials(Context& context, const InfluenceParams& params, const float* partials,
                            int64_t blocks, int64_t bins) {
  const auto kv_heads = static_cast<unsigned>(params.k.shape[1]);
  const auto heads = static_cast<int32_t>(params.q.shape[1]);
  const SumParams p{partials,
                    {head_rows<float>(params.elementwise),
                     head_rows<float>(params.elementwise_sink), head_rows<float>(params.joint)},
                    blocks,
                    bins,
                    heads,
                    heads / static_cast<int32_t>(kv_heads)};
  const dim3 grid(static_cast<unsigned>((bins + kSumThreads - 1) / kSumThreads), 3, kv_heads);
  influence_sum_kernel<<<grid, kSumThreads, 0, context.stream>>>(p);
  MOA_CUDA_CHECK_LAUNCH();
}

void influence(Context& context, const InfluenceParams& params) {
  const auto& p = params;
  switch (gradient_kernel(context, "influence", {p.q, p.k, p.v, p.out, p.grad_out})) {
    case GradientKernel::kSimt:
      return influence_simt(context, params);
    case GradientKernel::kMma:
      return influence_mma(context, params);
    case GradientKernel::kWgmma:
      return influence_wgmma(context, params);
  }
}

}  // namespace moa::cuda
