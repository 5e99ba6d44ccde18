// q [rows, H, D], a cache -> out [rows, H, D]: attention of one token per sequence over its live
// slots, for all rows and heads in one balanced launch. The plan (decode/plan.h) says which CTA
// reads what. It is computed on the device, because the lengths are there and the launch is
// replayed while they grow. This file chooses between decode/mma.cu and decode/simt.cu, where the
// measurements are named.
#include "cuda/decode/attention.cuh"
#include "cuda/host/ops.h"

namespace moa::cuda {

namespace {

constexpr float kLog2E = 1.4426950408889634f;

DecodeInput decode_input(Context& context, const AttentionDecodeParams& params,
                         const CacheView& cache) {
  const int32_t group = static_cast<int32_t>(params.q.shape[1]) / cache.kv_heads;
  const int32_t grid = decode_grid(context, cache), heads = std::min(group, kDecodeHeads);
  const int64_t blocks = (group + kDecodeHeads - 1) / kDecodeHeads, slots = blocks * 2 * grid;
  DecodeInput input{};
  input.plan = plan_layout(context, cache.sequences, cache.kv_heads).view(cache.plan, params.layer);
  input.heads = cache.heads;
  input.capacities = cache.capacities;
  input.partials = {
      context.scratch_of<float>(Scratch::kDecodePartials,
                                slots * PartialStore::slot_floats(heads, cache.head_dim)),
      context.scratch_of<uint32_t>(Scratch::kDecodeTickets, 2 * slots), grid, heads,
      cache.head_dim};
  input.layer = params.layer;
  input.layers = cache.layers;
  input.kv_heads = cache.kv_heads;
  input.group = group;
  input.scale_log2 = params.scale * kLog2E;
  return input;
}

}  // namespace

void attention_decode(Context& context, const AttentionDecodeParams& params,
                      const CacheView& cache) {
  const DecodeInput input = decode_input(context, params, cache);
  if (attention_decode_mma_takes(params, cache)) {
    attention_decode_mma(context, params, cache, input);
  } else {
    attention_decode_simt(context, params, cache, input);
  }
}

}  // namespace moa::cuda
