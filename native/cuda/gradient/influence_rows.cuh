#pragma once
// What the tensor-core kernels of influence keep per query row, and what they compute from it once
// all keys of a row have been seen: joint, and |E| of the dominant key. Threads [0, kInfluenceRows)
// of a thread block take one row each.
#include "cuda/gradient/distance_bins.h"
#include "cuda/gradient/launch.cuh"

namespace moa::cuda {

constexpr int kInfluenceRows = 128;        // query rows of a thread block
constexpr int kReadAhead = 8;              // loads in flight when the bins of a row are read back
constexpr float kDominant = 0.51f;         // at most one key of a row is above it
constexpr float kSmallWeight = 1.0f / 32;  // up to here 1 / (1 - y) = 1 + y + y^2, to 3e-5

__device__ __forceinline__ float reciprocal_approximate(float x) {
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/// Sums each x[t] over the four lanes of a quad. Lane t gets the sum of x[t].
__device__ __forceinline__ float quad_sums(const float (&x)[4]) {
  const bool high = threadIdx.x & 2, odd = threadIdx.x & 1;
  const float a = (high ? x[2] : x[0]) + __shfl_xor_sync(0xffffffffu, high ? x[0] : x[2], 2);
  const float b = (high ? x[3] : x[1]) + __shfl_xor_sync(0xffffffffu, high ? x[1] : x[3], 2);
  return (odd ? b : a) + __shfl_xor_sync(0xffffffffu, odd ? a : b, 1);
}

/// Device memory of a thread block, for the rows of its current item. kWarps warps write to it.
template <int kWarps>
struct InfluenceWorkspace {
  // [bins + 1, kInfluenceRows] sums of (y, y G) over keys past the sinks; the last entry has the
  // sums over the sinks.
  float2* bin_sums;
  // [kInfluenceRows] (y, G) of the row's own key.
  float2* own;
  // [kInfluenceRows] (y, G, key as bits, 1) of the key with y > kDominant; y is 0 if there is none.
  // The fourth element is 0 if bin_sums contain this key; the sums without it are then a difference
  // that loses digits.
  float4* dominants;
  // [3, bins, kWarps] |E| past the sinks, |E| of the sinks, joint.
  float* effects;

  static __host__ __device__ int64_t bytes(int64_t bins) {
    return ((bins + 2) * kInfluenceRows) * static_cast<int64_t>(sizeof(float2)) +
           kInfluenceRows * static_cast<int64_t>(sizeof(float4)) +
           3 * bins * kWarps * static_cast<int64_t>(sizeof(float));
  }
  __device__ InfluenceWorkspace(uint8_t* data, int32_t bins) {
    dominants = reinterpret_cast<float4*>(data);
    effects = reinterpret_cast<float*>(dominants + kInfluenceRows);
    bin_sums = reinterpret_cast<float2*>(effects + int64_t{3} * bins * kWarps);
    own = bin_sums + static_cast<int64_t>(bins + 1) * kInfluenceRows;
  }
  __device__ float* effect(int32_t index, int32_t warp) const {
    return effects + index * kWarps + warp;
  }
  __device__ float sum_of_effects(int32_t index) const {
    float sum = 0;
#pragma unroll
    for (int warp = 0; warp < kWarps; warp += 4) {
      const float4 x = *reinterpret_cast<const float4*>(effect(index, warp));
      sum += x.x + x.y + (x.z + x.w);
    }
    return sum;
  }
  /// Prepares for the rows of an item with so many tiles. Called by threads [0, kInfluenceRows).
  __device__ void clear(int32_t tiles, int32_t bins) const {
    const auto thread = static_cast<int32_t>(threadIdx.x);
    const int32_t count = tiles * kWarps;
    for (int32_t i = thread; i < 3 * count; i += kInfluenceRows) {
      effects[i / count * (bins * kWarps) + i % count] = 0;
    }
    dominants[thread] = make_float4(0, 0, 0, 0);
  }
};

__device__ __forceinline__ float warp_sum(float x) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) x += __shfl_xor_sync(0xffffffffu, x, offset);
  return x;
}

/// The row of a thread, once all its keys have been seen.
template <int kWarps>
struct FinishedRow {
  const InfluenceWorkspace<kWarps>& work;
  int32_t row, bins, sink;
  bool valid;

  float2 sinks = make_float2(0, 0), own = make_float2(0, 0);
  float4 dominant = make_float4(0, 0, 0, 0);
  float2 others = make_float2(0, 0);  // sums of y and y G over all keys but the dominant one
  float mean = 0;                     // delta

  __device__ float2 bin_sums(int32_t bin) const {
    return work.bin_sums[bin * kInfluenceRows + threadIdx.x];
  }

  __device__ void sum_bins() {
    if (!valid) return;
    if (sink > 0) sinks = bin_sums(bins);
    if (row >= sink) own = work.own[threadIdx.x];
    dominant = work.dominants[threadIdx.x];
    others = sinks;
    // The farthest bin with keys past the sinks.
    const int32_t last = row / kBinTokens - sink / kBinTokens;
#pragma unroll kReadAhead
    for (int32_t bin = 0; bin <= last; ++bin) {
      const float2 x = bin_sums(bin);
      others.x += x.x, others.y += x.y;
    }
    const float product = dominant.x * dominant.y;
    if (dominant.w == 0) others.x -= dominant.x, others.y -= product;
    mean = (others.y + product) / (others.x + dominant.x);
    if (dominant.w == 0) return;
    // For joint, the dominant key must be in the sums of its own bin, or of the sinks.
    if (key() < sink) {
      sinks = make_float2(sinks.x + dominant.x, sinks.y + product);
    } else {
      float2& sums = work.bin_sums[distance_bin(row, key()) * kInfluenceRows + threadIdx.x];
      sums = make_float2(sums.x + dominant.x, sums.y + product);
    }
  }

  /// The position of the dominant key within the segment.
  __device__ int32_t key() const {
    return __float_as_int(dominant.z);
  }

  __device__ __forceinline__ void put_change(int32_t bin, bool masks, float kept,
                                             float kept_gradients) const {
    // When all kept weights underflowed, only the row's own key counts.
    const float change = masks ? fabsf((kept > 0 ? kept_gradients / kept : own.y) - mean) : 0.0f;
    const float sum = warp_sum(change);
    if (threadIdx.x % 32 == 0) *work.effect(2 * bins + bin, threadIdx.x / 32) = sum;
  }

  /// Computes joint of bins [0, last]; `last` is the last bin that masks something of any row of
  /// the block.
  __device__ void put_changes(int32_t last) const {
    float kept = sinks.x, kept_gradients = sinks.y;
    put_change(0, valid && masks_at_bin_zero(row, sink), kept + own.x,
               fmaf(own.x, own.y, kept_gradients));
    const int32_t own_last = valid ? last_masking_bin(row, sink) : 0;
    for (int32_t first = 1; first <= last; first += kReadAhead) {
      float2 x[kReadAhead];
#pragma unroll
      for (int i = 0; i < kReadAhead; ++i)
        x[i] = first + i <= own_last ? bin_sums(first + i - 1) : make_float2(0, 0);
#pragma unroll
      for (int i = 0; i < kReadAhead; ++i) {
        if (first + i > last) break;
        kept += x[i].x, kept_gradients += x[i].y;
        put_change(first + i, first + i <= own_last, kept, kept_gradients);
      }
    }
  }

  /// Returns |E| of the dominant key, and where it belongs as an index into [2, bins] (past the
  /// sinks, sinks), or -1 if there is none. It is computed from R and Q, the sums of A and A G over
  /// the other keys: with weights that sum to 1, G - delta = G R - Q and 1 - A = R, which do not
  /// cancel.
  __device__ float2 dominant_effect(float epsilon) const {
    if (!(dominant.x > 0)) return make_float2(0, __int_as_float(-1));
    const float total = others.x + dominant.x,
                moved = dominant.x * (dominant.y * others.x - others.y),
                scale = total * (epsilon * total + others.x);
    // `scale` is 0 only when epsilon is 0 and the weights of all other keys underflowed: no weight
    // can move. Row 0 has no other key to which weight could move.
    const float effect = row == 0 ? dominant.y : scale > 0 ? moved / scale : moved;
    return make_float2(fabsf(effect),
                       __int_as_float(distance_bin(row, key()) + (key() < sink ? bins : 0)));
  }
};

/// Writes the partial sums [3, bins] of one item, from all its rows. Called by threads [0,
/// kInfluenceRows); `sync` is a barrier among them, and `shared` has kInfluenceRows float2.
template <int kWarps, class Sync>
__device__ __forceinline__ void finish_item(const InfluenceWorkspace<kWarps>& work, Sync&& sync,
                                            float2* shared, const SegmentBlock& at,
                                            int32_t first_row, int32_t tiles, int32_t bins,
                                            int32_t sink, float epsilon, float* partials) {
  const int32_t row = first_row + static_cast<int32_t>(threadIdx.x);
  FinishedRow<kWarps> mine{work, row, bins, sink, row < at.row_count};
  mine.sum_bins();
  mine.put_changes(last_masking_bin(min(first_row + kInfluenceRows, at.row_count) - 1, sink));
  shared[threadIdx.x] = mine.dominant_effect(epsilon);
  sync();
  for (int32_t bin = threadIdx.x; bin < bins; bin += kInfluenceRows) {
    float sums[3] = {};
    if (bin < tiles) {
#pragma unroll
      for (int i = 0; i < 3; ++i) sums[i] = work.sum_of_effects(i * bins + bin);
      for (int r = 0; r < kInfluenceRows; ++r) {
        const float2 x = shared[r];
        const int32_t index = __float_as_int(x.y);
        sums[0] += index == bin ? x.x : 0.0f;
        sums[1] += index == bins + bin ? x.x : 0.0f;
      }
    }
#pragma unroll
    for (int i = 0; i < 3; ++i) partials[i * bins + bin] = sums[i];
  }
}

}  // namespace moa::cuda
