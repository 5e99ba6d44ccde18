// q, gradOut [T, H, D], k, v [T, Hkv, D], row sums [H, T] (gradient/row_sums.cu) -> partial sums of
// the attention influence by distance, on CUDA cores. The formulas are in src/native/backend.ts. A
// thread block takes kTile query rows of one head. It visits the sinks first, then the keys past
// them from the diagonal to the left. When it reaches the end of a bin, it has just summed the keys
// that this bin keeps, so joint needs no memory per row and bin. kTile divides 64, so a tile lies
// in two bins only if its distance from the rows is a multiple of 64.
// Measured: reports/cuda/2026-11-24-h200
#include <cfloat>

#include "cuda/gradient/distance_bins.h"
#include "cuda/gradient/simt.cuh"

namespace moa::cuda {
namespace {

// Sets of row blocks per head and segment. Each has its own partial sums, so their number must be
// bounded to keep the memory at O(N).
constexpr int kRowSets = 64;
constexpr float kDominant = 0.51f;  // at most one key of a row is above it, whatever the rounding

template <class T>
struct InfluenceInputs {
  AttentionInputs<T> in;
  float* partials;  // [blocks, H, 3, bins]
  int32_t bins, sink;
  float epsilon;
  SegmentBlocks segments;
};

/// The sum over the 16 threads that share rows.
__device__ __forceinline__ float row_sum(float x) {
#pragma unroll
  for (int offset = 8; offset > 0; offset /= 2) x += __shfl_xor_sync(0xffffffffu, x, offset);
  return x;
}

/// Adds the sum of x over all threads to *to. All threads must call it; `warps` is shared memory
/// with one float per warp.
__device__ __forceinline__ void add_block_sum(float x, float* warps, float* to) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) x += __shfl_xor_sync(0xffffffffu, x, offset);
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = x;
  __syncthreads();
  if (threadIdx.x == 0) {
    float sum = 0;
    for (int warp = 0; warp < kSimtThreads / 32; ++warp) sum += warps[warp];
    *to += sum;
  }
  __syncthreads();
}

template <class T, int kTile>
struct InfluenceRows {
  static constexpr int kEach = kTile / 16;

  const InfluenceInputs<T>& p;
  const AttentionInputs<T>& in;
  const SegmentBlock& at;
  // In shared memory: [kTile, simt_stride(D)] each, and one float per warp.
  float *q, *grad_out, *k, *v, *warps;
  // In shared memory: [kTile] (A, G, key as bits, unused) of the key with A > kDominant; A is 0 if
  // there is none.
  float4* dominants;
  float* partials;  // [3, bins]
  int32_t head, first_row;
  int ty, tx;
  float log2_sum[kEach], delta[kEach];
  float weights[kEach], gradients[kEach];  // sums of A and A G so far, without dominant keys
  float own_gradients[kEach];              // G of the row's own key, if that is past the sinks
  float effects;                           // this thread's |E| of the bin that is not yet complete

  /// Computes S and G of the tile at first_key.
  __device__ __forceinline__ void products(int32_t first_key, SimtProducts<kTile>& tile) {
    const int64_t column = static_cast<int64_t>(head / in.group) * in.head_dim;
    __syncthreads();  // all threads have read the last tile
    load_simt_tile<kTile>(k, in.k, at.row_start, first_key, at.row_count, column, in.head_dim);
    load_simt_tile<kTile>(v, in.v, at.row_start, first_key, at.row_count, column, in.head_dim);
    __syncthreads();
    tile.compute(q, grad_out, k, v, in.head_dim);
  }

  __device__ __forceinline__ bool visible(int a, int b, int32_t first_key) const {
    const int32_t row = first_row + ty + 16 * a, key = first_key + tx + 16 * b;
    return key <= row && row < at.row_count;
  }

  __device__ __forceinline__ float weight(float s, int a) const {
    const float w = exp2f(s * in.to_log2 - log2_sum[a]);
    return w < FLT_MIN ? 0.0f : w;  // a subnormal w has lost its digits, and w G / w with them
  }

  __device__ void load_rows() {
    const int64_t column = static_cast<int64_t>(head) * in.head_dim;
    load_simt_tile<kTile>(q, in.q, at.row_start, first_row, at.row_count, column, in.head_dim);
    load_simt_tile<kTile>(grad_out, in.grad_out, at.row_start, first_row, at.row_count, column,
                          in.head_dim);
#pragma unroll
    for (int a = 0; a < kEach; ++a) {
      const int32_t row = first_row + ty + 16 * a;
      const float2 sums =
          row < at.row_count ? in.rows[head * in.tokens + at.row_start + row] : make_float2(0, 0);
      log2_sum[a] = sums.x, delta[a] = sums.y;
      weights[a] = gradients[a] = own_gradients[a] = 0;
      if (tx == 0) dominants[ty + 16 * a] = make_float4(0, 0, 0, 0);
    }
  }

  /// Computes delta as the sum of A G. With 16-bit storage, gradOut . out contains the rounding
  /// error of out, which can be larger than G - delta where A is near 1, and larger than the far
  /// bins of joint.
  __device__ void sum_deltas() {
    float all[kEach] = {}, all_gradients[kEach] = {};
    for (int32_t first_key = 0; first_key <= first_row; first_key += kTile) {
      SimtProducts<kTile> tile;
      products(first_key, tile);
#pragma unroll
      for (int a = 0; a < kEach; ++a) {
#pragma unroll
        for (int b = 0; b < kEach; ++b) {
          const float w = visible(a, b, first_key) ? weight(tile.s[a][b], a) : 0.0f;
          all[a] += w;
          all_gradients[a] = fmaf(w, tile.g[a][b], all_gradients[a]);
        }
      }
    }
#pragma unroll
    for (int a = 0; a < kEach; ++a) delta[a] = row_sum(all_gradients[a]) / row_sum(all[a]);
  }

  /// |delta of the row when only the kept keys remain - delta with all keys|, for rows of which bin
  /// b masks something; else 0.
  __device__ __forceinline__ float joint_change(int a, int32_t bin, bool masks, float kept,
                                                float kept_gradients) const {
    const int32_t row = first_row + ty + 16 * a;
    if (!masks || tx != 0 || row >= at.row_count) return 0;
    const float4 dominant = dominants[ty + 16 * a];
    const int32_t key = __float_as_int(dominant.z);
    if (dominant.x > 0 && (key < p.sink || distance_bin(row, key) < bin))
      kept += dominant.x, kept_gradients = fmaf(dominant.x, dominant.y, kept_gradients);
    // When all kept weights underflowed, only the row's own key counts.
    return fabsf((kept > 0 ? kept_gradients / kept : own_gradients[a]) - delta[a]);
  }

  /// Adds those keys of one tile that are in [begin, end).
  __device__ __forceinline__ void add_tile(int32_t first_key, int32_t begin, int32_t end,
                                           bool sinks) {
    SimtProducts<kTile> tile;
    products(first_key, tile);
    const int32_t distance = first_row - first_key, bin = distance / kBinTokens;
    const bool two_bins = distance % kBinTokens == 0;
    float own_effects = 0, nearer_effects = 0;
    float own[kEach] = {}, own_sums[kEach] = {}, nearer[kEach] = {}, nearer_sums[kEach] = {};
    float self[kEach] = {}, self_gradients[kEach] = {};  // A and G of the row's own key
#pragma unroll
    for (int a = 0; a < kEach; ++a) {
#pragma unroll
      for (int b = 0; b < kEach; ++b) {
        const int32_t row = first_row + ty + 16 * a, key = first_key + tx + 16 * b;
        if (!visible(a, b, first_key) || key < begin || key >= end) continue;
        float w = weight(tile.s[a][b], a);
        const float g = tile.g[a][b];
        if (key == row) self[a] = w, self_gradients[a] = g;
        if (w > kDominant) {
          dominants[ty + 16 * a] = make_float4(w, g, __int_as_float(key), 0);
          w = 0;
        }
        const float e = fabsf(w * (g - delta[a]) / (1.0f - w + p.epsilon));
        if (!two_bins || key - first_key <= row - first_row) {
          own[a] += w, own_sums[a] = fmaf(w, g, own_sums[a]), own_effects += e;
        } else {
          nearer[a] += w, nearer_sums[a] = fmaf(w, g, nearer_sums[a]), nearer_effects += e;
        }
      }
    }
    __syncwarp();  // the threads of a row are in one warp: all see its dominant key
    float changes = 0;
#pragma unroll
    for (int a = 0; a < kEach; ++a) {
      own[a] = row_sum(own[a]), own_sums[a] = row_sum(own_sums[a]);
      if (two_bins) {
        weights[a] += row_sum(nearer[a]), gradients[a] += row_sum(nearer_sums[a]);
      }
      if (two_bins && !sinks) {
        const int32_t row = first_row + ty + 16 * a;
        if (bin == 0) {
          const int diagonal = (threadIdx.x & 16) | ty;  // the lane that has key == row
          const float w = __shfl_sync(0xffffffffu, self[a], diagonal);
          own_gradients[a] = __shfl_sync(0xffffffffu, self_gradients[a], diagonal);
          changes += joint_change(a, bin, masks_at_bin_zero(row, p.sink), weights[a] + w,
                                  fmaf(w, own_gradients[a], gradients[a]));
        } else {
          changes +=
              joint_change(a, bin, bin <= last_masking_bin(row, p.sink), weights[a], gradients[a]);
        }
      }
      weights[a] += own[a], gradients[a] += own_sums[a];
    }
    if (two_bins && !sinks) add_block_sum(changes, warps, partials + 2 * p.bins + bin);
    if (two_bins && bin > 0) {
      add_block_sum(effects + nearer_effects, warps, partials + (sinks ? p.bins : 0) + bin - 1);
      effects = 0;
    }
    effects += own_effects;
  }

  /// Goes over all visible keys in [begin, end), from right to left.
  __device__ void walk(int32_t begin, int32_t end, bool sinks) {
    const int32_t last = min(first_row, (end - 1) / kTile * kTile), first = begin / kTile * kTile;
    effects = 0;
    for (int32_t first_key = last; first_key >= first; first_key -= kTile)
      add_tile(first_key, begin, end, sinks);
    if (last < first) return;
    add_block_sum(effects, warps,
                  partials + (sinks ? p.bins : 0) + (first_row - first) / kBinTokens);
  }

  /// Adds |E| of the dominant keys, after all other keys. It is computed from R and Q, the sums of
  /// A and A G over the other keys: with weights that sum to 1, G - delta = G R - Q and 1 - A = R.
  /// Dividing by the actual sum removes an error that all weights share.
  __device__ void finish_dominants() {
#pragma unroll
    for (int a = 0; a < kEach; ++a) {
      if (tx != 0) continue;
      float4& dominant = dominants[ty + 16 * a];
      const float w = dominant.x, g = dominant.y, r = weights[a], q = gradients[a];
      const int32_t row = first_row + ty + 16 * a, key = __float_as_int(dominant.z);
      const float total = r + w, moved = w * (g * r - q), scale = total * (p.epsilon * total + r);
      // `scale` is 0 only when epsilon is 0 and the weights of all other keys underflowed: no
      // weight can move. Row 0 has no other key to which weight could move.
      const float e = row == 0 ? w * g : scale > 0 ? moved / scale : moved;
      const int32_t index = distance_bin(row, key) + (key < p.sink ? p.bins : 0);
      dominant = make_float4(fabsf(e), __int_as_float(w > 0 ? index : -1), 0, 0);
    }
    __syncthreads();
    for (int32_t index = threadIdx.x; index < 2 * p.bins; index += kSimtThreads) {
      float sum = 0;
      for (int r = 0; r < kTile; ++r)
        sum += __float_as_int(dominants[r].y) == index ? dominants[r].x : 0.0f;
      partials[index] += sum;
    }
  }
};

template <class T, int kTile>
__global__ void __launch_bounds__(kSimtThreads, 2)
    influence_simt_kernel(const __grid_constant__ InfluenceInputs<T> p) {
  extern __shared__ __align__(16) float shared[];
  __shared__ float warps[kSimtThreads / 32];
  __shared__ float4 dominants[kTile];
  const auto head = static_cast<int32_t>(blockIdx.x % p.in.heads);
  const SegmentBlock at = find_block(p.segments, static_cast<int32_t>(blockIdx.x / p.in.heads));
  const int operand = kTile * simt_stride(p.in.head_dim);
  float* partials = p.partials + static_cast<int64_t>(blockIdx.x) * 3 * p.bins;
  for (int i = threadIdx.x; i < 3 * p.bins; i += kSimtThreads) partials[i] = 0;
  const int32_t step = at.blocks * kTile;
  for (int32_t first_row = at.block * kTile; first_row < at.row_count; first_row += step) {
    InfluenceRows<T, kTile> rows{p,
                                 p.in,
                                 at,
                                 shared,
                                 shared + operand,
                                 shared + 2 * operand,
                                 shared + 3 * operand,
                                 warps,
                                 dominants,
                                 partials,
                                 head,
                                 first_row,
                                 static_cast<int>(threadIdx.x / 16),
                                 static_cast<int>(threadIdx.x % 16)};
    __syncthreads();  // all threads have read the last rows
    rows.load_rows();
    if constexpr (sizeof(T) == 2) rows.sum_deltas();
    if (p.sink > 0) rows.walk(0, p.sink, true);
    rows.walk(p.sink, INT32_MAX, false);
    rows.finish_dominants();
  }
}

}  // namespace

void influence_simt(Context& context, const InfluenceParams& params) {
  with_float_type(params.q.dtype, "q", [&]<class T>() {
    InfluenceInputs<T> p{
        attention_inputs<T>(context, params), nullptr, 0, params.sink, params.epsilon, {}};
    with_simt_tile(p.in.head_dim, [&]<int kTile>() {
      const int bytes = static_cast<int>(sizeof(float)) * 4 * kTile * simt_stride(p.in.head_dim);
      const auto kernel = influence_simt_kernel<T, kTile>;
      allow_shared_bytes(kernel, bytes);
      for (const SegmentBlocks& launch : segment_blocks(params.segments, kTile, kRowSets)) {
        p.segments = launch;
        p.bins = (launch.longest + kBinTokens - 1) / kBinTokens;
        p.partials = context.scratch_of<float>(
            Scratch::kInfluencePartials,
            static_cast<int64_t>(launch.blocks) * p.in.heads * 3 * p.bins);
        kernel<<<launch.blocks * p.in.heads, kSimtThreads, bytes, context.stream>>>(p);
        MOA_CUDA_CHECK_LAUNCH();
        add_influence_partials(context, params, p.partials, launch.blocks, p.bins);
      }
    });
  });
}

}  // namespace moa::cuda
