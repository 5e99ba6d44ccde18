// q, out, gradOut [T, H, D], k, v [T, Hkv, D], logSumExp [T, H] -> gradQ [T, H, D], gradK, gradV
// [T, Hkv, D]: backward pass of attention on CUDA cores, for any float dtype. The weights are
// recomputed from logSumExp (FlashAttention-2, Dao 2023, section 2.3.2):
//   P = 2^(S - L), G = gradOut . v, dS = P (G - delta), gradQ = scale dS K, gradK = scale dS^T Q,
//   gradV = P^T gradOut,
// where L is logSumExp in log2 units and delta = gradOut . out. One kernel goes by query rows and
// one by keys, so that every output has one writer and no atomics are needed.
// Measured: reports/cuda/2026-11-24-h200
#include "cuda/gradient/simt.cuh"

namespace moa::cuda {
namespace {

template <class T>
struct BackwardParams {
  AttentionInputs<T> in;
  HeadRows<T> grad_q, grad_k, grad_v;  // [T, H, D], [T, Hkv, D] twice
  SegmentBlocks segments;
};

/// Shared memory, in floats: four operand tiles [kTile, simt_stride(D)], then P and dS [kTile,
/// kStride].
template <int kTile>
struct BackwardTiles {
  static constexpr int kStride = kTile + 4;  // floats between rows of P and dS
  float *q, *grad_out, *k, *v, *p, *ds;

  static int bytes(int head_dim) {
    return static_cast<int>(sizeof(float)) *
           (4 * kTile * simt_stride(head_dim) + 2 * kTile * kStride);
  }
  __device__ BackwardTiles(float* shared, int head_dim) {
    const int operand = kTile * simt_stride(head_dim);
    q = shared, grad_out = q + operand, k = grad_out + operand, v = k + operand;
    p = v + operand, ds = p + kTile * kStride;
  }
};

/// Writes P and dS of one tile to shared memory: ds[key][query] for sums by query rows (kByKey
/// false), or p and ds[query][key] for sums by keys.
template <int kTile, bool kByKey, class T>
__device__ __forceinline__ void weights_and_gradients(const BackwardTiles<kTile>& tiles,
                                                      const AttentionInputs<T>& in, int32_t head,
                                                      const SegmentBlock& at, int32_t first_row,
                                                      int32_t first_key) {
  SimtProducts<kTile> products;
  products.compute(tiles.q, tiles.grad_out, tiles.k, tiles.v, in.head_dim);
  const int ty = threadIdx.x / 16, tx = threadIdx.x % 16;
#pragma unroll
  for (int a = 0; a < products.kEach; ++a) {
    const int i = ty + 16 * a;
    const bool row_valid = first_row + i < at.row_count;
    const float2 row =
        row_valid ? in.rows[head * in.tokens + at.row_start + first_row + i] : make_float2(0, 0);
#pragma unroll
    for (int b = 0; b < products.kEach; ++b) {
      const int j = tx + 16 * b;
      const bool valid = row_valid && first_key + j <= first_row + i;
      const float p = valid ? exp2f(products.s[a][b] * in.to_log2 - row.x) : 0.0f;
      const float ds = valid ? p * (products.g[a][b] - row.y) : 0.0f;
      if constexpr (kByKey) {
        tiles.p[i * tiles.kStride + j] = p;
        tiles.ds[i * tiles.kStride + j] = ds;
      } else {
        tiles.ds[j * tiles.kStride + i] = ds;
      }
    }
  }
}

/// The part of an output tile that a thread computes: 4 rows from 4 * group on, 4 columns from 4 *
/// quad on.
struct OutputPart {
  int quad, group;
  bool active;

  template <int kTile>
  static __device__ OutputPart of_thread(int head_dim) {
    const int quads = head_dim / 4, group = static_cast<int>(threadIdx.x) / quads;
    return {static_cast<int>(threadIdx.x) % quads, group, group < kTile / 4};
  }

  /// sums += weights^T . operand, over the kTile rows of both.
  template <int kTile>
  __device__ void add(const float* weights, const float* operand, int stride,
                      float (&sums)[4][4]) const {
#pragma unroll 4
    for (int j = 0; j < kTile; ++j) {
      const float4 w =
          *reinterpret_cast<const float4*>(weights + j * BackwardTiles<kTile>::kStride + 4 * group);
      const float4 x = *reinterpret_cast<const float4*>(operand + j * stride + 4 * quad);
      const float ws[4] = {w.x, w.y, w.z, w.w}, xs[4] = {x.x, x.y, x.z, x.w};
#pragma unroll
      for (int r = 0; r < 4; ++r) {
#pragma unroll
        for (int c = 0; c < 4; ++c) sums[r][c] = fmaf(ws[r], xs[c], sums[r][c]);
      }
    }
  }

  template <class T>
  __device__ void store(const HeadRows<T>& to, const SegmentBlock& at, int32_t first,
                        int64_t column, float factor, const float (&sums)[4][4]) const {
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      const int32_t row = first + 4 * group + r;
      if (row >= at.row_count) continue;
      T* out = to.row(at.row_start + row, column + 4 * quad);
#pragma unroll
      for (int c = 0; c < 4; ++c) out[c] = from_float<T>(sums[r][c] * factor);
    }
  }
};

/// Computes gradQ of kTile query rows of one head. Goes over the keys from the first one to the
/// diagonal.
template <class T, int kTile>
__global__ void __launch_bounds__(kSimtThreads, 2)
    attention_backward_queries_simt_kernel(const __grid_constant__ BackwardParams<T> p) {
  extern __shared__ __align__(16) float shared[];
  const AttentionInputs<T>& in = p.in;
  const BackwardTiles<kTile> tiles(shared, in.head_dim);
  const auto head = static_cast<int32_t>(blockIdx.x % in.heads);
  const SegmentBlock at = find_block(p.segments, static_cast<int32_t>(blockIdx.x / in.heads));
  // Blocks with the most keys come first.
  const int32_t first_row = (at.blocks - 1 - at.block) * kTile;
  const int64_t column = static_cast<int64_t>(head) * in.head_dim,
                key_column = static_cast<int64_t>(head / in.group) * in.head_dim;
  const OutputPart part = OutputPart::of_thread<kTile>(in.head_dim);
  float sums[4][4] = {};
  load_simt_tile<kTile>(tiles.q, in.q, at.row_start, first_row, at.row_count, column, in.head_dim);
  load_simt_tile<kTile>(tiles.grad_out, in.grad_out, at.row_start, first_row, at.row_count, column,
                        in.head_dim);
  for (int32_t first_key = 0; first_key <= first_row; first_key += kTile) {
    load_simt_tile<kTile>(tiles.k, in.k, at.row_start, first_key, at.row_count, key_column,
                          in.head_dim);
    load_simt_tile<kTile>(tiles.v, in.v, at.row_start, first_key, at.row_count, key_column,
                          in.head_dim);
    __syncthreads();
    weights_and_gradients<kTile, false>(tiles, in, head, at, first_row, first_key);
    __syncthreads();
    if (part.active) part.add<kTile>(tiles.ds, tiles.k, simt_stride(in.head_dim), sums);
    __syncthreads();
  }
  if (part.active) part.store(p.grad_q, at, first_row, column, in.scale, sums);
}

/// Computes gradK and gradV of kTile keys of one KV head. Goes over the query rows of all its query
/// heads, from the diagonal to the last one.
template <class T, int kTile>
__global__ void __launch_bounds__(kSimtThreads, 2)
    attention_backward_keys_simt_kernel(const __grid_constant__ BackwardParams<T> p) {
  extern __shared__ __align__(16) float shared[];
  const AttentionInputs<T>& in = p.in;
  const BackwardTiles<kTile> tiles(shared, in.head_dim);
  const int32_t kv_heads = in.heads / in.group;
  const auto kv_head = static_cast<int32_t>(blockIdx.x % kv_heads);
  const SegmentBlock at = find_block(p.segments, static_cast<int32_t>(blockIdx.x / kv_heads));
  const int32_t first_key = at.block * kTile;
  const int64_t key_column = static_cast<int64_t>(kv_head) * in.head_dim;
  const OutputPart part = OutputPart::of_thread<kTile>(in.head_dim);
  float key_sums[4][4] = {}, value_sums[4][4] = {};
  load_simt_tile<kTile>(tiles.k, in.k, at.row_start, first_key, at.row_count, key_column,
                        in.head_dim);
  load_simt_tile<kTile>(tiles.v, in.v, at.row_start, first_key, at.row_count, key_column,
                        in.head_dim);
  for (int32_t head = kv_head * in.group; head < (kv_head + 1) * in.group; ++head) {
    const int64_t column = static_cast<int64_t>(head) * in.head_dim;
    for (int32_t first_row = first_key; first_row < at.row_count; first_row += kTile) {
      load_simt_tile<kTile>(tiles.q, in.q, at.row_start, first_row, at.row_count, column,
                            in.head_dim);
      load_simt_tile<kTile>(tiles.grad_out, in.grad_out, at.row_start, first_row, at.row_count,
                            column, in.head_dim);
      __syncthreads();
      weights_and_gradients<kTile, true>(tiles, in, head, at, first_row, first_key);
      __syncthreads();
      if (part.active) {
        part.add<kTile>(tiles.ds, tiles.q, simt_stride(in.head_dim), key_sums);
        part.add<kTile>(tiles.p, tiles.grad_out, simt_stride(in.head_dim), value_sums);
      }
      __syncthreads();
    }
  }
  if (!part.active) return;
  part.store(p.grad_k, at, first_key, key_column, in.scale, key_sums);
  part.store(p.grad_v, at, first_key, key_column, 1.0f, value_sums);
}

}  // namespace

void attention_backward_simt(Context& context, const AttentionBackwardParams& params) {
  with_float_type(params.q.dtype, "q", [&]<class T>() {
    BackwardParams<T> p{attention_inputs<T>(context, params),
                        head_rows<T>(params.grad_q),
                        head_rows<T>(params.grad_k),
                        head_rows<T>(params.grad_v),
                        {}};
    with_simt_tile(p.in.head_dim, [&]<int kTile>() {
      const int bytes = BackwardTiles<kTile>::bytes(p.in.head_dim);
      const auto keys = attention_backward_keys_simt_kernel<T, kTile>;
      const auto queries = attention_backward_queries_simt_kernel<T, kTile>;
      allow_shared_bytes(keys, bytes);
      allow_shared_bytes(queries, bytes);
      for (const SegmentBlocks& launch : segment_blocks(params.segments, kTile, INT32_MAX)) {
        p.segments = launch;
        keys<<<launch.blocks*(p.in.heads / p.in.group), kSimtThreads, bytes, context.stream>>>(p);
        MOA_CUDA_CHECK_LAUNCH();
        queries<<<launch.blocks * p.in.heads, kSimtThreads, bytes, context.stream>>>(p);
        MOA_CUDA_CHECK_LAUNCH();
      }
    });
  });
}

}  // namespace moa::cuda
