#pragma once
// How a warp of gradient/influence_wgmma.cu sums S and G of a tile by row and distance bin
// (gradient/distance_bins.h). Both are in the layout of wgmma's accumulators (device/wgmma.cuh).
//
// Warp w has rows 16 w + (0..15) of a block of 64. The columns of the tile form four squares of 16.
// Squares before square w are in the tile's own bin, and squares after it are in the nearer bin. In
// square w, column c is in the own bin if c <= r. So the squares are summed in order: up to square
// w the sums belong to the own bin, and from there on to the nearer one.
//
// Gradients are kept as d = G - delta. The results of a row do not change when a constant is
// subtracted from all its G, so an error of delta does no harm. Row 0 has delta 0, because its G
// itself is needed.
#include "cuda/device/mma.cuh"
#include "cuda/gradient/influence_rows.cuh"

namespace moa::cuda::influence_tiles {

constexpr int kTileKeys = kBinTokens;
// Sums per thread: rows g and g + 8, columns 8 i + 2 t and the next.
constexpr int kSums = kTileKeys / 2;
constexpr int kSquares = kTileKeys / 16, kSquareSums = kSums / kSquares;

/// Returns x and makes the compiler keep it in a register; otherwise it would compute x again in
/// the loop over tiles.
__device__ __forceinline__ int32_t kept(int32_t x) {
  asm volatile("" : "+r"(x));
  return x;
}
/// The same for a pointer to device memory.
template <class T>
__device__ __forceinline__ T* kept(T* x) {
  asm volatile("" : "+l"(x));
  __builtin_assume(__isGlobal(x));
  return x;
}

/// Sums over one thread's elements of a tile: weights and gradients per row, and |E| over both
/// rows.
struct BinSums {
  float weights[2] = {}, gradients[2] = {}, effects = 0;

  __device__ __forceinline__ void add(int row, float y, float d, float effect) {
    weights[row] += y;
    gradients[row] = fmaf(y, d, gradients[row]);
    effects += effect;
  }
};

/// Where the thread is, and what it knows about its rows.
struct RowsOfThread {
  int warp, lane;  // within the group of four warps
  int32_t row;     // number of row g within the segment; the other is row + 8
  // log2_sum is log2(sum exp S) + log2(1 + epsilon); delta is gradOut . out, and 0 for row 0.
  float log2_sum[2], delta[2];

  /// A key with y above this limit is left for after the last key. The limit of row 0, which has
  /// only one key, is 0.
  __device__ __forceinline__ float limit(int r) const {
    return r == 0 && row == 0 ? 0.0f : kDominant;
  }
  /// Whether element i of square `warp` is in the own bin: its column is not past the row's own
  /// key.
  __device__ __forceinline__ bool in_own(int i) const {
    return i / 4 * 8 + lane % 4 * 2 + i % 2 <= lane / 4 + i / 2 % 2 * 8;
  }
};

/// Computes log2 y from S, into other registers than those that products add to: ptxas lets no
/// product run while those are read.
__device__ __forceinline__ void take_log2_sum(const RowsOfThread& at, float to_log2,
                                              const float (&s)[kSums], float (&y)[kSums]) {
#pragma unroll
  for (int i = 0; i < kSums; ++i) y[i] = fmaf(s[i], to_log2, -at.log2_sum[i / 2 % 2]);
}

/// Turns log2 y into y and returns the largest. Floats that are not negative have the same order as
/// their bits as integers, with NaN above all, so the largest is searched for among integers, three
/// at a time (Hopper's DPX instructions).
__device__ __forceinline__ float make_weights(float (&y)[kSums]) {
  int32_t largest = 0;
#pragma unroll
  for (int i = 0; i < kSums; i += 2) {
    y[i] = exp2_approximate(y[i]), y[i + 1] = exp2_approximate(y[i + 1]);
    largest = __vimax3_s32(largest, __float_as_int(y[i]), __float_as_int(y[i + 1]));
  }
  return __int_as_float(largest);
}

/// Computes d from G, also into other registers.
__device__ __forceinline__ void take_delta(const RowsOfThread& at, const float (&g)[kSums],
                                           float (&d)[kSums]) {
#pragma unroll
  for (int i = 0; i < kSums; ++i) d[i] = g[i] - at.delta[i / 2 % 2];
}

/// Like quad_sums() of gradient/influence_rows.cuh, with the lane taken from `at`.
__device__ __forceinline__ float quad_sums(const RowsOfThread& at, const BinSums& x) {
  const bool high = at.lane & 2, odd = at.lane & 1;
  const auto other = [](float x, int lanes) { return __shfl_xor_sync(0xffffffffu, x, lanes); };
  const float a =
      (high ? x.weights[1] : x.weights[0]) + other(high ? x.weights[0] : x.weights[1], 2);
  const float b =
      (high ? x.gradients[1] : x.gradients[0]) + other(high ? x.gradients[0] : x.gradients[1], 2);
  return (odd ? b : a) + other(odd ? a : b, 1);
}

/// Sets columns outside [begin, end) to zero and, on the diagonal, keys past the row's own.
__device__ __forceinline__ void mask_tile(const RowsOfThread& at, int32_t begin, int32_t end,
                                          bool diagonal, float (&x)[kSums]) {
  const int32_t own = at.warp * 16 + at.lane / 4;
#pragma unroll
  for (int i = 0; i < kSums; ++i) {
    const int32_t column = i / 4 * 8 + at.lane % 4 * 2 + i % 2;
    const bool past = diagonal && column > own + i / 2 % 2 * 8;
    if (column < begin || column >= end || past) x[i] = 0;
  }
}

/// Stores (y, d) of the rows' own keys, which are on the diagonal.
template <int kWarps>
__device__ __forceinline__ void note_own(const RowsOfThread& at,
                                         const InfluenceWorkspace<kWarps>& work, int32_t local_row,
                                         const float (&y)[kSums], const float (&d)[kSums]) {
  if (at.lane / 4 / 2 != at.lane % 4) return;  // lane (g, t) has columns 2t and 2t + 1 of eight
#pragma unroll
  for (int i = 0; i < kSums; ++i) {
    const int eighth = i / 4, r = i / 2 % 2;
    if (eighth == 2 * at.warp + r && i % 2 == at.lane / 4 % 2) {
      work.own[local_row + 8 * r] = make_float2(y[i], d[i]);
    }
  }
}

/// Removes the keys with y above the limit of their row from the tile (y = 0), and stores them for
/// use after the last key. A row has at most one.
template <int kWarps>
__device__ __forceinline__ void take_dominants(const RowsOfThread& at,
                                               const InfluenceWorkspace<kWarps>& work,
                                               int32_t local_row, int32_t first_key,
                                               float (&y)[kSums], const float (&d)[kSums]) {
  float dominants[2] = {}, gradients[2] = {};
  int32_t columns[2] = {};
#pragma unroll
  for (int i = 0; i < kSums; ++i) {
    const int r = i / 2 % 2;
    if (!(y[i] > at.limit(r))) continue;
    dominants[r] = y[i], gradients[r] = d[i], columns[r] = i / 4 * 8 + i % 2;
    y[i] = 0;
  }
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    if (!(dominants[r] > 0)) continue;
    const int32_t key = first_key + columns[r] + at.lane % 4 * 2;
    work.dominants[local_row + 8 * r] =
        make_float4(dominants[r], gradients[r], __int_as_float(key), 1);
  }
}

/// Adds the tile to the sums of its own bin, `own`, and returns the sums of the nearer bin. With
/// kSmall, all y are at most kSmallWeight; otherwise take_dominants() must have been called. `warp`
/// is at.warp; as a constant it makes code without branches.
template <bool kSmall>
__device__ __forceinline__ BinSums add_tile(const RowsOfThread& at, int warp,
                                            const float (&y)[kSums], const float (&d)[kSums],
                                            BinSums& own) {
  const auto effect = [&](int i) {
    const float x = y[i];
    const float factor = kSmall ? fmaf(fmaf(x, x, x), x, x) : x * reciprocal_approximate(1.0f - x);
    return fabsf(d[i] * factor);
  };
  BinSums sums = own;
#pragma unroll
  for (int square = 0; square < kSquares; ++square) {
    if (square != warp) {
#pragma unroll
      for (int n = 0; n < kSquareSums; ++n) {
        const int i = square * kSquareSums + n;
        sums.add(i / 2 % 2, y[i], d[i], effect(i));
      }
      continue;
    }
    BinSums nearer;
#pragma unroll
    for (int n = 0; n < kSquareSums; ++n) {
      const int i = square * kSquareSums + n, r = i / 2 % 2;
      const float x = effect(i);
      if (n / 4 < r || (n / 4 == r && at.in_own(n))) {
        sums.add(r, y[i], d[i], x);
      } else {
        nearer.add(r, y[i], d[i], x);
      }
    }
    own = sums;
    sums = nearer;
  }
  return sums;
}

/// The same for small y. Each warp of the group has its own copy of the code, without branches;
/// each runs on another scheduler.
__device__ __forceinline__ BinSums add_small_tile(const RowsOfThread& at, const float (&y)[kSums],
                                                  const float (&d)[kSums], BinSums& own) {
  if (at.warp < 2) {
    return at.warp == 0 ? add_tile<true>(at, 0, y, d, own) : add_tile<true>(at, 1, y, d, own);
  }
  return at.warp == 2 ? add_tile<true>(at, 2, y, d, own) : add_tile<true>(at, 3, y, d, own);
}

}  // namespace moa::cuda::influence_tiles
