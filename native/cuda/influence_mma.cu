// Attention influence by distance on tensor cores: formulas in src/native/backend.ts. A block of
// threads has 128 query rows of one head and visits the 64-key tiles from the left; 64 x 64 parts
// lie in two bins (distance_bins.h). One pass over the keys. What needs the row's exact delta = sum
// A G waits for its end, because gradOut . out with out in 16 bits is off by 2^-10 of a typical G,
// which drowns the rest (numpy emulation, relative L1 of sink-heavy and sharp rows: 2 to 17 % with
// gradOut . out throughout, below 0.2 % this way):
// - joint: sums of A and A G per row and bin go to a workspace of 1 KB per bin;
// - |E| of the row's dominant key, A > 0.51, where G - delta ~ 1 - A cancels.
// Weights are kept as y = A / (1 + epsilon), so that E = y (G - delta) / (1 - y); ratios of sums
// are the same in y.
#include <algorithm>
#include <cmath>

#include "cuda/attention_gradient_mma.cuh"
#include "cuda/distance_bins.h"

namespace moa::cuda {
namespace {

constexpr int kRows =
    128;  // of a block: 32 per warp, so that one fragment of k or v feeds two row tiles
constexpr int kSlots = 3;  // tiles of k and v in flight, alternately: with q and gradOut, 112 KB at
                           // head dim 128, two blocks per SM
constexpr float kDominant = 0.51f;         // no two keys of a row are above it
constexpr float kSmallWeight = 1.0f / 32;  // below it 1 / (1 - y) = 1 + y + y^2 to 3e-5
constexpr int kBatch = 8;                  // loads in flight when a row's bins are read back

template <class T>
struct InfluenceInputs {
  AttentionInputs<T> in;
  float* partials;      // [blocks, H, 3, bins]
  uint8_t* workspaces;  // one per block of threads
  int32_t items, bins, sink;
  float epsilon, log2_shift;  // log2(1 + epsilon)
  SegmentBlocks segments;
};

/// Device memory of a block of threads, for the rows at hand.
struct Workspace {
  float2*
      bin_sums;  // [bins + 1, kRows] sums of (y, y G) past the sinks; the last entry: of the sinks
  float2* own;   // [kRows] (y, G) of the row's own key
  float4* dominants;  // [kRows] (y, G, key as bits, -) of the key with y > kDominant; y = 0: none
  float4* effects;    // [3, bins] one float per warp: |E| past the sinks, |E| of the sinks, joint

  static __host__ __device__ int64_t bytes(int64_t bins) {
    return ((bins + 2) * kRows) * static_cast<int64_t>(sizeof(float2)) +
           (kRows + 3 * bins) * static_cast<int64_t>(sizeof(float4));
  }
  __device__ Workspace(uint8_t* data, int32_t bins) {
    dominants = reinterpret_cast<float4*>(data);
    effects = dominants + kRows;
    bin_sums = reinterpret_cast<float2*>(effects + 3 * bins);
    own = bin_sums + static_cast<int64_t>(bins + 1) * kRows;
  }
  __device__ float* effect(int32_t index) const {
    return reinterpret_cast<float*>(effects + index) + threadIdx.x / 32;
  }
};

__device__ __forceinline__ float reciprocal_approximate(float x) {
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

__device__ __forceinline__ float warp_sum(float x) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) x += __shfl_xor_sync(0xffffffffu, x, offset);
  return x;
}

/// Sums over the four lanes of a quad; lane t gets the sum of x[t].
__device__ __forceinline__ float quad_sum(const float (&x)[4]) {
  const bool high = threadIdx.x & 2, odd = threadIdx.x & 1;
  const float a = (high ? x[2] : x[0]) + __shfl_xor_sync(0xffffffffu, high ? x[0] : x[2], 2);
  const float b = (high ? x[3] : x[1]) + __shfl_xor_sync(0xffffffffu, high ? x[1] : x[3], 2);
  return (odd ? b : a) + __shfl_xor_sync(0xffffffffu, odd ? a : b, 1);
}

/// What a lane knows of its rows g + 8 i.
struct RowSums {
  float log2_sum[4], delta[4];
};

/// Sums over a tile of one lane's elements: per row i = 2 * row tile + upper, and |E| over all of
/// them.
struct BinSums {
  float weights[4] = {}, gradients[4] = {}, effects = 0;
};

/// The 32 query rows of a warp.
template <class T, int D>
struct InfluenceWarp {
  using Tile = MmaTile<D>;

  const Workspace& work;
  uint32_t q, grad_out;  // addresses of the warp's rows, at this lane's fragment
  int32_t first_row;     // of the segment
  int32_t block, half;   // 64-row block of the segment, and which half of it
  int32_t bins;
  float to_log2;
  const float2* row_sums;  // shared, [kRows] log2(sum exp S) + log2(1 + epsilon), gradOut . out
  BinSums carry;  // of the bin that the next tile completes; of all sinks during their visits

  __device__ int32_t local_row(int i) const {
    return static_cast<int32_t>(threadIdx.x - threadIdx.x % 32 + threadIdx.x % 32 / 4) + 8 * i;
  }

  /// sums[row tile][n-tile] = rows . tile rows, n-tiles in the order of fragment_first_key().
  __device__ __forceinline__ void multiply(uint32_t rows, uint32_t tile,
                                           float (&sums)[2][8][4]) const {
    const uint32_t columns = tile + Tile::column_fragment();
    const uint32_t halves[2] = {columns + half * Tile::bytes(32),
                                columns + (1 - half) * Tile::bytes(32)};
#pragma unroll
    for (int k = 0; k < Tile::kSteps; ++k) {
      uint32_t a[2][4], b[4][4];
#pragma unroll
      for (int m = 0; m < 2; ++m) ldmatrix_x4(a[m], Tile::at_step(rows + m * Tile::bytes(16), k));
#pragma unroll
      for (int n = 0; n < 4; ++n)
        ldmatrix_x4(b[n], Tile::at_step(halves[n / 2] + n % 2 * Tile::bytes(16), k));
#pragma unroll
      for (int n = 0; n < 8; ++n) {
#pragma unroll
        for (int m = 0; m < 2; ++m)
          mma_m16n8k16<T>(sums[m][n], a[m], b[n / 2][n % 2 * 2], b[n / 2][n % 2 * 2 + 1]);
      }
    }
  }

  /// Read for every tile: there are no registers to keep it in.
  __device__ __forceinline__ RowSums load_row_sums() const {
    RowSums rows;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float2 x = row_sums[local_row(i)];
      rows.log2_sum[i] = x.x, rows.delta[i] = x.y;
    }
    return rows;
  }

  /// Calls f(m, n, e, part) for the lane's elements of n-tiles [kFirst, kLast).
  template <int kFirst, int kLast, class F>
  static __device__ __forceinline__ void for_elements(F&& f) {
#pragma unroll
    for (int n = kFirst; n < kLast; ++n) {
#pragma unroll
      for (int m = 0; m < 2; ++m) {
#pragma unroll
        for (int e = 0; e < 4; ++e) f(m, n, e, bin_part(n, m, e / 2));
      }
    }
  }

  /// Whether the element at column 2 t + e % 2 of a kLane part is in the own bin.
  static __device__ __forceinline__ bool lane_in_own(int e) {
    const int lane = threadIdx.x % 32;
    return 2 * (lane % 4) + e % 2 <= lane / 4;
  }

  /// Adds x to the sum of its part.
  static __device__ __forceinline__ void add_to_part(BinPart part, int e, float x, float& own,
                                                     float& nearer) {
    if (part == BinPart::kOwn) {
      own += x;
    } else if (part == BinPart::kNearer) {
      nearer += x;
    } else {
      own += lane_in_own(e) ? x : 0.0f;
      nearer += lane_in_own(e) ? 0.0f : x;
    }
  }

  /// The last four n-tiles lie in one bin, `rest`: the own one in half 1, else the nearer one. Own
  /// sums go on from the carry.
  __device__ __forceinline__ void start_rest(BinSums& rest) const {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      rest.weights[i] = half ? carry.weights[i] : 0.0f;
      rest.gradients[i] = half ? carry.gradients[i] : 0.0f;
    }
  }
  __device__ __forceinline__ void split_rest(BinSums& own, BinSums& nearer) const {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      nearer.weights[i] = half ? 0.0f : own.weights[i];
      nearer.gradients[i] = half ? 0.0f : own.gradients[i];
      own.weights[i] = half ? own.weights[i] : carry.weights[i];
      own.gradients[i] = half ? own.gradients[i] : carry.gradients[i];
    }
    nearer.effects = half ? 0.0f : own.effects;
    own.effects = half ? own.effects : 0.0f;
  }

  /// A tile without masked keys: s becomes y. Returns the lane's largest y; where that is above
  /// kSmallWeight the effects are wrong.
  __device__ __forceinline__ float add_plain(float (&s)[2][8][4], const float (&g)[2][8][4],
                                             const RowSums& rows, BinSums& own,
                                             BinSums& nearer) const {
    float largest = 0;
    const auto take = [&](int m, int n, int e, float& effect) {
      const int i = 2 * m + e / 2;
      const float y = exp2_approximate(fmaf(s[m][n][e], to_log2, -rows.log2_sum[i]));
      s[m][n][e] = y;
      largest = fmaxf(largest, y);
      effect = fabsf((g[m][n][e] - rows.delta[i]) * fmaf(fmaf(y, y, y), y, y));
      return y;
    };
    start_rest(own);
    for_elements<4, 8>([&](int m, int n, int e, BinPart) {
      const int i = 2 * m + e / 2;
      float effect;
      const float y = take(m, n, e, effect);
      own.weights[i] += y, own.gradients[i] = fmaf(y, g[m][n][e], own.gradients[i]),
                           own.effects += effect;
    });
    split_rest(own, nearer);
    for_elements<0, 4>([&](int m, int n, int e, BinPart part) {
      const int i = 2 * m + e / 2;
      float effect;
      const float y = take(m, n, e, effect);
      add_to_part(part, e, y, own.weights[i], nearer.weights[i]);
      add_to_part(part, e, y * g[m][n][e], own.gradients[i], nearer.gradients[i]);
      add_to_part(part, e, effect, own.effects, nearer.effects);
    });
    return largest;
  }

  /// A tile of which only columns [begin, end) count, and none past the diagonal. Leaves the
  /// effects to add_effects().
  __device__ __forceinline__ void add_masked(float (&s)[2][8][4], const float (&g)[2][8][4],
                                             const RowSums& rows, const KeyVisit& visit,
                                             BinSums& own, BinSums& nearer) const {
    const bool diagonal = visit.tile == block;
    const int t = threadIdx.x % 4;
    const auto take = [&](int m, int n, int e, BinPart part) {
      const int i = 2 * m + e / 2, column = fragment_first_key(n, half) + 2 * t + e % 2;
      const bool in_own = part == BinPart::kRest   ? half != 0
                          : part == BinPart::kLane ? lane_in_own(e)
                                                   : part == BinPart::kOwn;
      const bool counts = column >= visit.begin && column < visit.end && (in_own || !diagonal);
      const float y =
          counts ? exp2_approximate(fmaf(s[m][n][e], to_log2, -rows.log2_sum[i])) : 0.0f;
      s[m][n][e] = y;
      const bool own_key =
          part == BinPart::kLane && 2 * t + e % 2 == static_cast<int>(threadIdx.x % 32 / 4);
      if (own_key && diagonal && counts) work.own[local_row(i)] = make_float2(y, g[m][n][e]);
      return y;
    };
    start_rest(own);
    for_elements<4, 8>([&](int m, int n, int e, BinPart part) {
      const int i = 2 * m + e / 2;
      const float y = take(m, n, e, part);
      own.weights[i] += y, own.gradients[i] = fmaf(y, g[m][n][e], own.gradients[i]);
    });
    split_rest(own, nearer);
    for_elements<0, 4>([&](int m, int n, int e, BinPart part) {
      const int i = 2 * m + e / 2;
      const float y = take(m, n, e, part);
      add_to_part(part, e, y, own.weights[i], nearer.weights[i]);
      add_to_part(part, e, y * g[m][n][e], own.gradients[i], nearer.gradients[i]);
    });
  }

  /// |E| of a tile of any weights y; dominant keys, and row 0's only key, are noted for the end.
  __device__ __forceinline__ void add_effects(const float (&y)[2][8][4], const float (&g)[2][8][4],
                                              const RowSums& rows, int32_t tile, BinSums& own,
                                              BinSums& nearer) const {
    const int lane = threadIdx.x % 32;
    const float first_limit = first_row + lane / 4 == 0 ? 0.0f : kDominant;  // of i = 0
    float rest = 0, dominant[4] = {}, gradients[4] = {};
    int columns[4] = {};
    own.effects = nearer.effects = 0;
    for_elements<0, 8>([&](int m, int n, int e, BinPart part) {
      const int i = 2 * m + e / 2;
      const float weight = y[m][n][e], gradient = g[m][n][e];
      const bool dominates = weight > (i == 0 ? first_limit : kDominant);
      dominant[i] = dominates ? weight : dominant[i];
      gradients[i] = dominates ? gradient : gradients[i];
      columns[i] = dominates ? 8 * n + e % 2 : columns[i];
      const float effect =
          fabsf(weight * (gradient - rows.delta[i]) * reciprocal_approximate(1.0f - weight));
      if (part == BinPart::kRest) {
        rest += dominates ? 0.0f : effect;
      } else {
        add_to_part(part, e, dominates ? 0.0f : effect, own.effects, nearer.effects);
      }
    });
    own.effects += half ? rest : 0.0f;
    nearer.effects += half ? 0.0f : rest;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (!(dominant[i] > 0)) continue;
      const int32_t key = tile * kBinTokens + (columns[i] ^ (half * 32)) + 2 * (lane % 4);
      work.dominants[local_row(i)] = make_float4(dominant[i], gradients[i], __int_as_float(key), 0);
    }
  }

  __device__ __forceinline__ void put_effects(float x, int32_t index) const {
    x = warp_sum(x);
    if (threadIdx.x % 32 == 0) *work.effect(index) = x;
  }
  __device__ __forceinline__ void put_rows(const BinSums& sums, int32_t entry) const {
    const float weight = quad_sum(sums.weights), gradient = quad_sum(sums.gradients);
    work.bin_sums[entry * kRows + local_row(threadIdx.x % 4)] = make_float2(weight, gradient);
  }

  /// S and G of a tile, into the sums of its two bins.
  __device__ __forceinline__ void add_tile(float (&s)[2][8][4], const float (&g)[2][8][4],
                                           const KeyVisit& visit, bool last_sinks) {
    const RowSums rows = load_row_sums();
    BinSums own, nearer;
    bool careful = visit.tile == block || visit.begin > 0 || visit.end < kBinTokens;
    if (careful) {
      add_masked(s, g, rows, visit, own, nearer);
    } else {
      careful = __any_sync(0xffffffffu, add_plain(s, g, rows, own, nearer) > kSmallWeight);
    }
    if (careful) add_effects(s, g, rows, visit.tile, own, nearer);
    const int32_t bin = block - visit.tile;
    put_effects(own.effects + carry.effects, (visit.sinks ? bins : 0) + bin);
    carry = nearer;
    if (!visit.sinks) {
      put_rows(own, bin);
      return;
    }
#pragma unroll
    for (int i = 0; i < 4; ++i)
      carry.weights[i] += own.weights[i], carry.gradients[i] += own.gradients[i];
    if (!last_sinks) return;
    put_rows(carry, bins);
    if (bin > 0) put_effects(carry.effects, bins + bin - 1);
    carry = BinSums{};
  }
};

/// A thread's row once all its keys were seen.
struct FinishedRow {
  const Workspace& work;
  int32_t row, bins, sink;
  bool valid;

  float2 sinks = make_float2(0, 0), own = make_float2(0, 0);
  float weight = 0, mean = 0;  // sum of y; delta

  __device__ float2 bin_sums(int32_t bin) const { return work.bin_sums[bin * kRows + threadIdx.x]; }

  __device__ void sum_bins() {
    if (!valid) return;
    if (sink > 0) sinks = bin_sums(bins);
    if (row >= sink) own = work.own[threadIdx.x];
    float gradient = sinks.y;
    weight = sinks.x;
    const int32_t last =
        row / kBinTokens - sink / kBinTokens;  // farthest bin with keys past the sinks
#pragma unroll kBatch
    for (int32_t bin = 0; bin <= last; ++bin) {
      const float2 x = bin_sums(bin);
      weight += x.x, gradient += x.y;
    }
    mean = gradient / weight;
  }

  __device__ __forceinline__ void put_change(int32_t bin, bool masks, float kept,
                                             float kept_gradients) const {
    // Where all else underflowed the own key is left.
    const float change = masks ? fabsf((kept > 0 ? kept_gradients / kept : own.y) - mean) : 0.0f;
    const float sum = warp_sum(change);
    if (threadIdx.x % 32 == 0) *work.effect(2 * bins + bin) = sum;
  }

  /// joint of bins [0, last], the last that masks something of any row of the block.
  __device__ void put_changes(int32_t last) const {
    float kept = sinks.x, kept_gradients = sinks.y;
    put_change(0, valid && masks_at_bin_zero(row, sink), kept + own.x,
               fmaf(own.x, own.y, kept_gradients));
    const int32_t own_last = valid ? last_masking_bin(row, sink) : 0;
    for (int32_t first = 1; first <= last; first += kBatch) {
      float2 x[kBatch];
#pragma unroll
      for (int i = 0; i < kBatch; ++i)
        x[i] = first + i <= own_last ? bin_sums(first + i - 1) : make_float2(0, 0);
#pragma unroll
      for (int i = 0; i < kBatch; ++i) {
        if (first + i > last) break;
        kept += x[i].x, kept_gradients += x[i].y;
        put_change(first + i, first + i <= own_last, kept, kept_gradients);
      }
    }
  }

  /// |E| of the dominant key, and the index in [2, bins] of where it belongs; -1: none.
  __device__ float2 dominant_effect(float epsilon) const {
    const float4 x = work.dominants[threadIdx.x];
    if (!valid || !(x.x > 0)) return make_float2(0, __int_as_float(-1));
    const int32_t key = __float_as_int(x.z);
    const float a = x.x / weight;
    const float effect = row == 0 ? fabsf(a * x.y) : fabsf(a * (x.y - mean) / (1.0f - a + epsilon));
    return make_float2(effect, __int_as_float(distance_bin(row, key) + (key < sink ? bins : 0)));
  }
};

__device__ __forceinline__ float sum_of(float4 x) {
  return x.x + x.y + (x.z + x.w);
}

/// What the rows of one item add, to its partial sums [3, bins]. `shared`: kRows float2.
__device__ void finish_item(const Workspace& work, float2* shared, const SegmentBlock& at,
                            int32_t first_row, int32_t tiles, int32_t bins, int32_t sink,
                            float epsilon, float* partials) {
  const int32_t row = first_row + static_cast<int32_t>(threadIdx.x);
  FinishedRow mine{work, row, bins, sink, row < at.row_count};
  mine.sum_bins();
  mine.put_changes(last_masking_bin(min(first_row + kRows, at.row_count) - 1, sink));
  shared[threadIdx.x] = mine.dominant_effect(epsilon);
  __syncthreads();
  for (int32_t bin = threadIdx.x; bin < bins; bin += kMmaThreads) {
    float sums[3] = {};
    if (bin < tiles) {
#pragma unroll
      for (int i = 0; i < 3; ++i) sums[i] = sum_of(work.effects[i * bins + bin]);
      for (int r = 0; r < kRows; ++r) {
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

template <int D>
constexpr int shared_bytes() {
  return 2 * MmaTile<D>::bytes(kRows) + kSlots * MmaTile<D>::bytes(kBinTokens);
}

template <class T, int D>
__device__ __forceinline__ void influence_item(const InfluenceInputs<T>& p, const Workspace& work,
                                               uint8_t* shared, float2* row_sums, int32_t item) {
  using Tile = MmaTile<D>;
  const AttentionInputs<T>& in = p.in;
  const int32_t head = item % in.heads;
  const SegmentBlock at = find_block(p.segments, item / in.heads);
  const int32_t first_row = (at.blocks - 1 - at.block) * kRows;  // the longest first
  const int32_t tiles = (min(first_row + kRows, at.row_count) + kBinTokens - 1) / kBinTokens;
  const KeyWalk walk = key_walk(p.sink, tiles);
  const int64_t column = static_cast<int64_t>(head) * D,
                key_column = static_cast<int64_t>(head / in.group) * D;
  const uint32_t q = shared_address(shared), grad_out = q + Tile::bytes(kRows),
                 slots = grad_out + Tile::bytes(kRows);
  // Keys of the visits at even steps, values at odd ones.
  const auto load = [&](int32_t step, int32_t slot) {
    if (step < 2 * walk.visits) {
      const int32_t first = key_visit(walk, step / 2).tile * kBinTokens;
      Tile::template load<kBinTokens>(slots + slot * Tile::bytes(kBinTokens),
                                      step % 2 == 0 ? in.k : in.v, at.row_start, first,
                                      at.row_count, key_column);
    }
    cp_async_commit();
  };
  Tile::template load<kRows>(q, in.q, at.row_start, first_row, at.row_count, column);
  load(0, 0);
  Tile::template load<kRows>(grad_out, in.grad_out, at.row_start, first_row, at.row_count, column);
  load(1, 1);
  for (int32_t i = threadIdx.x; i < 3 * tiles; i += kMmaThreads) {
    work.effects[i / tiles * p.bins + i % tiles] = make_float4(0, 0, 0, 0);
  }
  work.dominants[threadIdx.x] = make_float4(0, 0, 0, 0);
  const int32_t row = first_row + static_cast<int32_t>(threadIdx.x);
  // Past the segment's end 2^-infinity: y = 0.
  const float2 none = make_float2(__int_as_float(0x7f800000), 0);
  const float2 sums = row < at.row_count ? in.rows[head * in.tokens + at.row_start + row] : none;
  row_sums[threadIdx.x] = make_float2(sums.x + p.log2_shift, sums.y);
  const auto warp_index = static_cast<int32_t>(threadIdx.x / 32);
  InfluenceWarp<T, D> warp{work,
                           q + Tile::bytes(32) * warp_index + Tile::row_fragment(),
                           grad_out + Tile::bytes(32) * warp_index + Tile::row_fragment(),
                           first_row + 32 * warp_index,
                           first_row / kBinTokens + warp_index / 2,
                           warp_index % 2,
                           p.bins,
                           in.to_log2,
                           row_sums};
  int32_t slot = 0;
  const auto next_step = [&](int32_t step) {
    cp_async_wait<1>();
    __syncthreads();  // the step has landed, and all have read the one before, whose slot is loaded
                      // next
    load(step + 2, slot == 0 ? 2 : slot - 1);
    const uint32_t tile = slots + slot * Tile::bytes(kBinTokens);
    slot = slot == kSlots - 1 ? 0 : slot + 1;
    return tile;
  };
  for (int32_t v = 0; v < walk.visits; ++v) {
    const KeyVisit visit = key_visit(walk, v);
    const bool active = visit.tile <= warp.block && warp.first_row < at.row_count;
    float s[2][8][4] = {}, g[2][8][4] = {};
    const uint32_t keys = next_step(2 * v);
    if (active) warp.multiply(warp.q, keys, s);
    const uint32_t values = next_step(2 * v + 1);
    if (!active) continue;
    warp.multiply(warp.grad_out, values, g);
    warp.add_tile(s, g, visit, v == walk.sink_visits - 1 || visit.tile == warp.block);
  }
  __syncthreads();
  finish_item(work, reinterpret_cast<float2*>(shared), at, first_row, tiles, p.bins, p.sink,
              p.epsilon, p.partials + static_cast<int64_t>(item) * 3 * p.bins);
}

/// Items, in order of decreasing cost, are dealt to the blocks back and forth, so that every block
/// gets about the same work.
template <class T, int D>
__global__ void __launch_bounds__(kMmaThreads, 2)
    influence_mma_kernel(const __grid_constant__ InfluenceInputs<T> p) {
  extern __shared__ __align__(1024) uint8_t shared[];
  __shared__ float2 row_sums[kRows];
  const Workspace work(p.workspaces + blockIdx.x * Workspace::bytes(p.bins), p.bins);
  const auto blocks = static_cast<int32_t>(gridDim.x), block = static_cast<int32_t>(blockIdx.x);
  for (int32_t round = 0;; ++round) {
    const int32_t item = round * blocks + (round % 2 == 0 ? block : blocks - 1 - block);
    if (item >= p.items) break;
    influence_item<T, D>(p, work, shared, row_sums, item);
    __syncthreads();  // shared memory and workspace have been read
  }
}

template <class T, int D>
void launch(Context& context, const InfluenceParams& params) {
  InfluenceInputs<T> p{
      attention_inputs<T>(context, params), nullptr, nullptr, 0, 0, params.sink, params.epsilon,
      std::log2(1.0f + params.epsilon),     {}};
  const auto kernel = influence_mma_kernel<T, D>;
  constexpr int kBytes = shared_bytes<D>();
  allow_shared_bytes(kernel, kBytes);
  int per_multiprocessor = 0;
  MOA_CUDA_CHECK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&per_multiprocessor, kernel,
                                                               kMmaThreads, kBytes));
  for (const SegmentBlocks& launch : segment_blocks(params.segments, kRows, INT32_MAX)) {
    p.segments = launch;
    p.items = launch.blocks * p.in.heads;
    p.bins = (launch.longest + kBinTokens - 1) / kBinTokens;
    const int blocks =
        std::min(p.items, std::max(1, per_multiprocessor) * context.multiprocessors());
    p.partials = context.scratch_of<float>(Scratch::kInfluencePartials,
                                           static_cast<int64_t>(p.items) * 3 * p.bins);
    p.workspaces =
        context.scratch_of<uint8_t>(Scratch::kInfluenceRows, blocks * Workspace::bytes(p.bins));
    kernel<<<blocks, kMmaThreads, kBytes, context.stream>>>(p);
    MOA_CUDA_CHECK_LAUNCH();
    add_influence_partials(context, params, p.partials, launch.blocks, p.bins);
  }
}

}  // namespace

void influence_mma(Context& context, const InfluenceParams& params) {
  with_mma_shape(params.q.dtype, params.q.shape[2],
                 [&]<class T, int D>() { launch<T, D>(context, params); });
}

}  // namespace moa::cuda
