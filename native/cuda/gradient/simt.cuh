#pragma once
// Tiles of the generic kernels of attention_backward and influence, which use CUDA cores and
// float32 products and take any head dim that is a multiple of 8. The 256 threads are 16 x 16:
// thread (ty, tx) has rows ty + 16 a and columns tx + 16 b of a tile of kTile x kTile scores.
#include "cuda/gradient/launch.cuh"
#include "moa/ring.h"

namespace moa::cuda {

constexpr int kSimtThreads = 256;

/// Chooses the edge of a tile: 4 D kTile floats of operands must fit shared memory, and D kTile /
/// 256 sums must fit the registers of a thread.
template <class F>
void with_simt_tile(int64_t head_dim, F&& f) {
  if (head_dim <= 128) {
    f.template operator()<32>();
  } else {
    f.template operator()<16>();
  }
}

/// Floats between rows of operand tiles. This is an odd number of 16-byte words, so that threads
/// that read float4 down a column use all banks.
MOA_HOST_DEVICE int simt_stride(int head_dim) {
  return head_dim + 4;
}

/// Loads rows [first, first + kTile) of one head as f32; rows from `end` on become 0.
template <int kTile, class T>
__device__ __forceinline__ void load_simt_tile(float* tile, const HeadRows<const T>& from,
                                               int32_t row_start, int32_t first, int32_t end,
                                               int64_t column, int head_dim) {
  const int stride = simt_stride(head_dim);
  for (int r = threadIdx.x / 32; r < kTile; r += kSimtThreads / 32) {
    const bool valid = first + r < end;
    const T* row = from.row(row_start + (valid ? first + r : 0), column);
    for (int d = threadIdx.x % 32; d < head_dim; d += 32)
      tile[r * stride + d] = valid ? to_float(row[d]) : 0.0f;
  }
}

__device__ __forceinline__ float dot4(float4 x, float4 y, float sum) {
  sum = fmaf(x.x, y.x, sum);
  sum = fmaf(x.y, y.y, sum);
  sum = fmaf(x.z, y.z, sum);
  return fmaf(x.w, y.w, sum);
}

/// The products of one tile: S = q . k (unscaled) and G = gradOut . v.
template <int kTile>
struct SimtProducts {
  static constexpr int kEach = kTile / 16;
  float s[kEach][kEach] = {}, g[kEach][kEach] = {};

  __device__ __forceinline__ void compute(const float* q, const float* grad_out, const float* k,
                                          const float* v, int head_dim) {
    const int stride = simt_stride(head_dim), ty = threadIdx.x / 16, tx = threadIdx.x % 16;
    for (int d = 0; d < head_dim; d += 4) {
      float4 x[kEach], y[kEach];
      const auto load = [&](const float* rows, int first, float4(&to)[kEach]) {
#pragma unroll
        for (int a = 0; a < kEach; ++a)
          to[a] = *reinterpret_cast<const float4*>(rows + (first + 16 * a) * stride + d);
      };
      const auto add = [&](float(&sums)[kEach][kEach]) {
#pragma unroll
        for (int a = 0; a < kEach; ++a) {
#pragma unroll
          for (int b = 0; b < kEach; ++b) sums[a][b] = dot4(x[a], y[b], sums[a][b]);
        }
      };
      load(q, ty, x), load(k, tx, y);
      add(s);
      load(grad_out, ty, x), load(v, tx, y);
      add(g);
    }
  }
};

}  // namespace moa::cuda
