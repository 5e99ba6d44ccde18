#pragma once
// What the kernels of prefill attention share on the host: their arguments, and which kernel takes
// what.
#include <cstdint>

#include "cuda/host/context.h"
#include "cuda/prefill/blocks.h"

namespace moa::cuda {

enum class PrefillKernel : uint8_t {
  kSimt,   // CUDA cores, float32 products: takes any dtype, head dim, alignment and scale
  kMma,    // mma.sync, sm_80 and later: 16-bit dtypes, head dims 32, 64, 96, 128, 256
  kWgmma,  // wgmma and TMA, sm_90a: 16-bit dtypes, head dims 64 and 128
};

/// Passed to kernels by value. All strides are in elements.
struct PrefillArguments {
  const void* q = nullptr;       // [T, H, D]
  const void* keys = nullptr;    // [key rows, key heads, D]: k, or what prefill_keys gathered
  const void* values = nullptr;  // the same
  void* out = nullptr;           // [T, H, D]
  float* log_sum_exp = nullptr;  // [T, H], natural log; or null
  int64_t q_stride = 0, key_stride = 0, value_stride = 0, out_stride = 0, log_sum_exp_stride = 0;
  int64_t q_rows = 0, key_rows = 0;
  int32_t heads = 0, key_heads = 0, head_dim = 0;
  DType dtype = DType::kF32;  // of q, keys, values, out
  float scale = 1;
  const PrefillItem* items = nullptr;   // [item_count]; for kWgmma, grouped by thread block
  const int32_t* item_begin = nullptr;  // for kWgmma: [blocks + 1], first item of each thread block
  int32_t item_count = 0, blocks = 0;   // blocks: thread blocks, for kWgmma
};

/// Query rows of one item in prefill/wgmma.cu, whose number of warpgroups depends on the head dim.
int32_t prefill_wgmma_block_rows(int64_t head_dim);
/// Query rows of one item.
inline int32_t prefill_block_rows(PrefillKernel kernel, int64_t head_dim) {
  if (kernel == PrefillKernel::kWgmma) return prefill_wgmma_block_rows(head_dim);
  return kernel == PrefillKernel::kSimt || head_dim > 128 ? 64 : 128;
}

void prefill_simt(Context& context, const PrefillArguments& arguments);
void prefill_mma(Context& context, const PrefillArguments& arguments);
void prefill_wgmma(Context& context, const PrefillArguments& arguments);

/// Fills `keys` and `values`, both [key rows, D] in the dtype of params.k. `gathered` [count] is in
/// device memory and has one entry per segment and KV head; no entry has more than `longest` keys.
void gather_prefill_keys(Context& context, const AttentionPrefillParams& params,
                         const CacheView& cache, const GatheredKeys* gathered, int32_t count,
                         int32_t longest, void* keys, void* values);

}  // namespace moa::cuda
