#pragma once
// What the backward pass of attention and the influence share: inputs and segments as kernel
// params, row sums, and the choice of the kernel.
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "cuda/device/element.cuh"
#include "cuda/host/context.h"
#include "moa/ops.h"

namespace moa::cuda {

constexpr int kMaxSegmentsPerLaunch = 256;  // kernel params may have 4 KB
constexpr int kMaxGradientHeadDim = 256;
constexpr float kLog2E = 1.4426950408889634f;

/// Segments, cut into blocks of rows. The longest segments come first.
struct SegmentBlocks {
  struct Entry {
    int32_t row_start, row_count, first_block;
  };
  int32_t count = 0, blocks = 0;
  int32_t longest = 0;  // rows
  Entry entries[kMaxSegmentsPerLaunch];
};

/// One SegmentBlocks per launch. A segment has ceil(rows / block_rows) blocks, but at most
/// `max_blocks`. With that many, each of them stands for a set of blocks that are `max_blocks`
/// apart.
std::vector<SegmentBlocks> segment_blocks(View<Segment> segments, int block_rows, int max_blocks);

struct SegmentBlock {
  int32_t row_start, row_count;
  int32_t block, blocks;  // of the segment
};

__device__ __forceinline__ SegmentBlock find_block(const SegmentBlocks& segments, int32_t index) {
  int32_t low = 0, high = segments.count - 1;
  while (low < high) {
    const int32_t middle = (low + high + 1) / 2;
    if (segments.entries[middle].first_block <= index) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  const SegmentBlocks::Entry entry = segments.entries[low];
  const int32_t end =
      low + 1 < segments.count ? segments.entries[low + 1].first_block : segments.blocks;
  return {entry.row_start, entry.row_count, index - entry.first_block, end - entry.first_block};
}

/// The rows of a tensor. In a row, the heads lie side by side.
template <class T>
struct HeadRows {
  T* data = nullptr;
  int64_t stride = 0;  // elements

  __device__ __forceinline__ T* row(int64_t row, int64_t column) const {
    return data + row * stride + column;
  }
};

template <class T>
HeadRows<T> head_rows(const TensorRef& x) {
  return {static_cast<T*>(x.data), x.row_stride};
}

template <class T>
struct AttentionInputs {
  HeadRows<const T> q, grad_out;  // [T, H, D]
  HeadRows<const T> k, v;         // [T, Hkv, D]
  const float2* rows = nullptr;   // [H, T] attention_row_sums
  int64_t tokens = 0;
  int32_t heads = 0, group = 0, head_dim = 0;
  float scale = 0, to_log2 = 0;  // to_log2 = scale * log2(e)
};

/// Computes pairs of float32 [H, T], one per head and query row: logSumExp in log2 units, and delta
/// = gradOut . out (FlashAttention-2, Dao 2023, section 2.3.2).
const float2* attention_row_sums(Context& context, const TensorRef& out, const TensorRef& grad_out,
                                 const TensorRef& log_sum_exp);

template <class T, class Params>
AttentionInputs<T> attention_inputs(Context& context, const Params& p) {
  AttentionInputs<T> in;
  in.q = head_rows<const T>(p.q), in.grad_out = head_rows<const T>(p.grad_out);
  in.k = head_rows<const T>(p.k), in.v = head_rows<const T>(p.v);
  in.rows = attention_row_sums(context, p.out, p.grad_out, p.log_sum_exp);
  in.tokens = p.q.rows();
  in.heads = static_cast<int32_t>(p.q.shape[1]);
  in.group = static_cast<int32_t>(p.q.shape[1] / p.k.shape[1]);
  in.head_dim = static_cast<int32_t>(p.q.shape[2]);
  in.scale = p.scale, in.to_log2 = p.scale * kLog2E;
  return in;
}

enum class GradientKernel : uint8_t {
  kSimt,   // CUDA cores: takes any float dtype and head dims up to 256
  kMma,    // mma.sync, sm_80 and later: 16-bit dtypes, head dims 32, 64, 96, 128
  kWgmma,  // wgmma and TMA, sm_90a: 16-bit dtypes, head dims 64 and 128
};

/// The kernel that runs an op over these tensors [.., .., D] of one dtype: the last of the above
/// that can, or the one that the environment variable MOABENCH_GRADIENT_KERNEL=simt|mma|wgmma
/// names. Throws kUnsupported when no kernel, or not the named one, can run it.
GradientKernel gradient_kernel(const Context& context, const char* op,
                               std::initializer_list<TensorRef> tensors);

void attention_backward_simt(Context& context, const AttentionBackwardParams& params);
void attention_backward_mma(Context& context, const AttentionBackwardParams& params);
void attention_backward_wgmma(Context& context, const AttentionBackwardParams& params);
void influence_simt(Context& context, const InfluenceParams& params);
void influence_mma(Context& context, const InfluenceParams& params);
void influence_wgmma(Context& context, const InfluenceParams& params);

/// Adds partial sums [blocks, H, 3, bins] (elementwise, elementwise_sink, joint) to the outputs, in
/// a fixed order, in float64.
void add_influence_partials(Context& context, const InfluenceParams& params, const float* partials,
                            int64_t blocks, int64_t bins);

/// Allows a kernel the amount of shared memory with which it is launched.
template <class Kernel>
void allow_shared_bytes(Kernel kernel, int bytes) {
  MOA_CUDA_CHECK(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                      cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
}

}  // namespace moa::cuda
