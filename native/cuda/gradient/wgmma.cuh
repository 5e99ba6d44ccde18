#pragma once
// What the wgmma kernels of attention_backward and influence share: operands as tensor maps, and
// which block of which head a thread block takes.
#include <algorithm>

#include "cuda/device/wgmma_tiles.cuh"
#include "cuda/gradient/launch.cuh"

namespace moa::cuda {

/// Operands, as a kernel param.
struct WgmmaOperands {
  CUtensorMap q, grad_out;       // [T, H, D]
  CUtensorMap k, v;              // [T, Hkv, D]
  const float2* rows = nullptr;  // [H, T] attention_row_sums
  int64_t tokens = 0;
  int32_t heads = 0, group = 0, head_dim = 0;
  float scale = 0, to_log2 = 0;  // to_log2 = scale * log2(e)

  /// The row sums of a row of a segment. Rows past its end get +infinity as log2 sum, so that their
  /// weights are 0.
  __device__ __forceinline__ float2 row_sums(int32_t head, int32_t row_start, int32_t row,
                                             int32_t row_count) const {
    return row < row_count ? rows[head * tokens + row_start + row] : make_float2(INFINITY, 0);
  }
};

template <class Params>
WgmmaOperands wgmma_operands(Context& context, const Params& p) {
  const auto encode = [](const TensorRef& x) {
    return encode_rows(x.data, x.dtype, x.rows(), x.shape[1], x.shape[2], x.row_stride);
  };
  WgmmaOperands in;
  in.q = encode(p.q), in.grad_out = encode(p.grad_out);
  in.k = encode(p.k), in.v = encode(p.v);
  in.rows = attention_row_sums(context, p.out, p.grad_out, p.log_sum_exp);
  in.tokens = p.q.rows();
  in.heads = static_cast<int32_t>(p.q.shape[1]);
  in.group = static_cast<int32_t>(p.q.shape[1] / p.k.shape[1]);
  in.head_dim = static_cast<int32_t>(p.q.shape[2]);
  in.scale = p.scale, in.to_log2 = p.scale * kLog2E;
  return in;
}

/// Calls f.template operator()<T, D>() for the shapes that gradient_kernel() gives to these
/// kernels.
template <class F>
void with_wgmma_shape(DType dtype, int64_t head_dim, F&& f) {
  with_half_type(dtype, "q", [&]<class T>() {
    switch (head_dim) {
      case 64:
        return f.template operator()<T, 64>();
      case 128:
        return f.template operator()<T, 128>();
    }
    throw Error(ErrorCode::kInternal, "Expected head dim 64 or 128 for the wgmma kernels");
  });
}

/// How many KV heads run at the same time, so that what their blocks read stays in half of L2: per
/// head `rows` rows of two 16-bit tensors (q and gradOut, or k and v).
inline int32_t heads_at_once(const Context& context, int64_t rows, int64_t head_dim) {
  const int64_t bytes = rows * head_dim * 2 * 2;
  return static_cast<int32_t>(
      std::clamp<int64_t>(context.properties.l2CacheSize / 2 / bytes, 1, 1 << 20));
}

struct HeadBlock {
  int32_t head, block;
};

/// The head and block of thread block `index`. Heads are taken in groups of `at_once`; within a
/// group come the first blocks of all heads, then the second ones, and so on, so that the costliest
/// blocks come first.
__device__ __forceinline__ HeadBlock head_block(int32_t index, int32_t heads, int32_t blocks,
                                                int32_t at_once) {
  const int32_t first = index / blocks / at_once * at_once, count = min(at_once, heads - first);
  const int32_t rest = index - first * blocks;
  return {first + rest % count, rest / count};
}

/// Computes gradK and gradV.
void attention_backward_keys_wgmma(Context& context, const AttentionBackwardParams& params,
                                   const WgmmaOperands& in);
/// Computes gradQ.
void attention_backward_queries_wgmma(Context& context, const AttentionBackwardParams& params,
                                      const WgmmaOperands& in);

namespace wgmma_tiles {

// 128 * 24 + 256 * 240 registers are as many as 384 threads with 168 each have.
constexpr int kGradientProducerRegisters = 24, kGradientConsumerRegisters = 240;

/// Copies 64 * kBoxes rows of one head, from `row` on, into a tile [columns][64 kBoxes].
template <int kDim, int kBoxes>
__device__ __forceinline__ void load_tile(uint32_t tile, const CUtensorMap& map, int32_t head,
                                          int32_t row, uint32_t barrier) {
#pragma unroll
  for (int column = 0; column < kDim / kTmaBoxElements; ++column) {
#pragma unroll
    for (int box = 0; box < kBoxes; ++box) {
      tma_load(tile + (column * kBoxes + box) * kTmaBoxBytes, &map, column * kTmaBoxElements, head,
               row + box * kTmaBoxRows, barrier);
    }
  }
}

}  // namespace wgmma_tiles

}  // namespace moa::cuda
