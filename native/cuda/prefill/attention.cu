// q [T, H, D], k, v [T, Hkv, D], optionally a cache -> out [T, H, D], logSumExp [T, H]: prefill
// attention. This file chooses the kernel (wgmma.cu, mma.cu or simt.cu, where the measurements are
// named) and the source of its keys. prefill/work.cc lists the work items of the kernel.
#include <cstdlib>
#include <string>

#include "cuda/device/element.cuh"
#include "cuda/host/ops.h"
#include "cuda/prefill/work.h"

namespace moa::cuda {

namespace {

int64_t round_up(int64_t x, int64_t multiple) {
  return (x + multiple - 1) / multiple * multiple;
}

bool aligned(const TensorRef& x) {
  constexpr int64_t kVectorElements = 8;  // 16 bytes of 16-bit elements
  return reinterpret_cast<uintptr_t>(x.data) % 16 == 0 &&
         (x.rows() <= 1 || x.row_stride % kVectorElements == 0);
}

bool runs(const Context& context, const AttentionPrefillParams& params, PrefillKernel kernel) {
  if (kernel == PrefillKernel::kSimt) return true;
  const int64_t d = params.q.shape[2];
  // Weights are 2^(c s - c m), where m is the largest score s. This is right only for positive
  // scales.
  if (!is_half(params.q.dtype) || !(params.scale > 0)) return false;
  for (const TensorRef* x : {&params.q, &params.k, &params.v, &params.out}) {
    if (!aligned(*x)) return false;
  }
  if (kernel == PrefillKernel::kWgmma) return context.is_hopper() && (d == 64 || d == 128);
  return context.properties.major >= 8 && (d == 32 || d == 64 || d == 96 || d == 128 || d == 256);
}

struct NamedKernel {
  const char* name;
  PrefillKernel kernel;
};
// The fastest first.
constexpr NamedKernel kKernels[] = {
    {"wgmma", PrefillKernel::kWgmma}, {"mma", PrefillKernel::kMma}, {"simt", PrefillKernel::kSimt}};

/// The kernel that MOABENCH_PREFILL_KERNEL names; without it, the fastest kernel that takes these
/// params.
PrefillKernel prefill_kernel_for(const Context& context, const AttentionPrefillParams& params) {
  constexpr const char* kVariable = "MOABENCH_PREFILL_KERNEL";
  static const std::string asked = [] {
    const char* value = std::getenv(kVariable);
    return std::string(value == nullptr ? "" : value);
  }();
  for (const NamedKernel& k : kKernels) {
    if (!asked.empty() && asked != k.name) continue;
    if (runs(context, params, k.kernel)) return k.kernel;
    if (asked.empty()) continue;
    throw Error(
        ErrorCode::kUnsupported,
        "Expected a kernel that takes this device, dtype, head dim, alignment and scale for " +
            std::string(kVariable) + " but received " + asked);
  }
  throw_invalid("simt, mma or wgmma", kVariable, asked);
}

PrefillPlan plan_of(const Context& context, const AttentionPrefillParams& params,
                    const CacheView* cache) {
  PrefillPlan plan;
  plan.kernel = prefill_kernel_for(context, params);
  plan.heads = static_cast<int32_t>(params.q.shape[1]);
  plan.kv_heads = static_cast<int32_t>(params.k.shape[1]);
  plan.head_dim = static_cast<int32_t>(params.q.shape[2]);
  plan.block_rows = prefill_block_rows(plan.kernel, plan.head_dim);
  plan.blocks = context.multiprocessors();
  plan.element_bytes = static_cast<int64_t>(bytes_per_element(params.q.dtype));
  plan.l2_bytes = context.properties.l2CacheSize;
  plan.segments.assign(params.segments.begin(), params.segments.end());
  for (Segment& segment : plan.segments) {
    // Without a cache only distances matter, not positions.
    if (cache == nullptr) segment.first_position = segment.sequence = 0;
    plan.gathers |= segment.first_position > 0;
  }
  int64_t key_row = 0;
  for (const Segment& segment : plan.segments) {
    for (int32_t head = 0; head < plan.kv_heads; ++head) {
      PrefillMask mask;
      if (cache != nullptr && cache->windowed) {
        const int64_t at =
            (int64_t{segment.sequence} * cache->layers + params.layer) * cache->kv_heads + head;
        mask.sink = cache->sink;
        mask.window = cache->host_capacities[at] - cache->sink;
      }
      plan.masks.push_back(mask);
      if (!plan.gathers) continue;
      GatheredKeys keys{};
      keys.key_row = key_row;
      keys.row = segment.row_start, keys.rows = segment.row_count;
      keys.sequence = segment.sequence, keys.head = head;
      set_cached(keys, segment.first_position, cache->windowed, mask.sink, mask.sink + mask.window);
      plan.gathered.push_back(keys);
      key_row += keys.keys();
    }
  }
  return plan;
}

}  // namespace

void attention_prefill(Context& context, const AttentionPrefillParams& params,
                       const CacheView* cache) {
  const DType dtype = params.q.dtype;
  if (params.k.dtype != dtype || params.v.dtype != dtype || params.out.dtype != dtype) {
    throw Error(ErrorCode::kUnsupported,
                "Expected one dtype of q, k, v and out for attentionPrefill but received several");
  }
  const PrefillPlan plan = plan_of(context, params, cache);
  const PrefillWork& work = upload_prefill_work(context, plan);
  const char* device_work = static_cast<const char*>(context.scratch(Scratch::kPrefillWork, 0));

  PrefillArguments a;
  a.q = params.q.data, a.keys = params.k.data, a.values = params.v.data, a.out = params.out.data;
  a.q_stride = params.q.row_stride, a.out_stride = params.out.row_stride;
  a.key_stride = params.k.row_stride, a.value_stride = params.v.row_stride;
  a.q_rows = params.q.rows(), a.key_rows = params.k.rows();
  a.heads = plan.heads, a.key_heads = plan.kv_heads, a.head_dim = plan.head_dim;
  a.log_sum_exp = static_cast<float*>(params.log_sum_exp.data);
  a.log_sum_exp_stride = params.log_sum_exp.row_stride;
  a.dtype = dtype, a.scale = params.scale;
  a.items = reinterpret_cast<const PrefillItem*>(device_work);
  a.item_begin = reinterpret_cast<const int32_t*>(device_work + work.item_begin_at);
  a.item_count = work.item_count, a.blocks = plan.blocks;
  if (plan.gathers) {
    const int64_t bytes = round_up(work.gathered_rows * plan.head_dim * plan.element_bytes, 128);
    char* keys = static_cast<char*>(context.scratch(Scratch::kPrefillKeys, 2 * bytes));
    const auto* gathered = reinterpret_cast<const GatheredKeys*>(device_work + work.gathered_at);
    gather_prefill_keys(context, params, *cache, gathered, work.gathered_count, work.longest, keys,
                        keys + bytes);
    a.keys = keys, a.values = keys + bytes;
    a.key_stride = a.value_stride = plan.head_dim;
    a.key_rows = work.gathered_rows, a.key_heads = 1;
  }
  switch (plan.kernel) {
    case PrefillKernel::kSimt:
      return prefill_simt(context, a);
    case PrefillKernel::kMma:
      return prefill_mma(context, a);
    case PrefillKernel::kWgmma:
      return prefill_wgmma(context, a);
  }
}

}  // namespace moa::cuda
