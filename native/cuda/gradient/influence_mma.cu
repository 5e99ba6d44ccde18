// q, gradOut [T, H, D], k, v [T, Hkv, D], row sums [H, T] (gradient/row_sums.cu) -> partial sums of
// the attention influence by distance, on tensor cores (mma.sync). The formulas are in
// src/native/backend.ts. A thread block takes 128 query rows of one head and visits the tiles of 64
// keys from the left, once; each 64 x 64 part lies in two bins (gradient/distance_bins.h).
//
// Two results need the exact delta = sum A G of a row, so they are computed after its last key.
// gradOut . out would be off by 2^-10 of a typical G, because out has 16 bits, and that error can
// be larger than the result. (Emulated relative L1 error of sink-heavy and sharp rows: up to 17 %
// with gradOut . out everywhere, below 0.2 % this way.) The two are:
// - joint: sums of A and A G per row and bin are kept in a workspace of 1 KB per bin;
// - |E| of the row's dominant key (A > 0.51), where G - delta and 1 - A both lose their digits by
//   cancellation: until the end, no sum of the row contains this key.
//
// Weights are kept as y = A / (1 + epsilon), so that E = y (G - delta) / (1 - y). Ratios of sums
// are the same in y as in A.
// Measured: reports/cuda/2026-11-24-h200
#include <algorithm>
#include <cmath>

#include "cuda/gradient/influence_rows.cuh"
#include "cuda/gradient/mma.cuh"

namespace moa::cuda {
namespace {

// Tiles of k and v (in turn) in flight: with q and gradOut this is 112 KB at head dim 128, so two
// thread blocks fit an SM.
constexpr int kSlots = 3;
constexpr int kWarps = kMmaThreads / 32;
using Workspace = InfluenceWorkspace<kWarps>;
static_assert(kMmaThreads == kInfluenceRows);

template <class T>
struct InfluenceInputs {
  AttentionInputs<T> in;
  float* partials;      // [blocks, H, 3, bins]
  uint8_t* workspaces;  // one per block of threads
  int32_t items, bins, sink;
  float epsilon, log2_shift;  // log2(1 + epsilon)
  SegmentBlocks segments;
};

/// What a lane knows about its rows g + 8 i.
struct RowSums {
  float log2_sum[4], delta[4];
};

/// Sums over one lane's elements of a tile: weights and gradients per row i = 2 * row tile + upper,
/// and |E| over all its rows.
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
  // In shared memory: [kInfluenceRows] (log2(sum exp S) + log2(1 + epsilon), gradOut . out).
  const float2* row_sums;
  // Sums of the bin that the next tile completes; during visits to sinks, of all sinks.
  BinSums carry;

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

  /// Called for every tile, because there are no registers to keep the result.
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
  __device__ __forceinline__ void add_to_part(BinPart part, int e, float x, float& own,
                                              float& nearer) const {
    if (part == BinPart::kOwn) {
      own += x;
    } else if (part == BinPart::kNearer) {
      nearer += x;
    } else {
      const bool in_own = part == BinPart::kRest ? half != 0 : lane_in_own(e);
      own += in_own ? x : 0.0f;
      nearer += in_own ? 0.0f : x;
    }
  }

  /// Starts the sums of the last four n-tiles, which all lie in one bin: the own bin in half 1,
  /// else the nearer one. Sums of the own bin continue from the carry.
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

  /// Adds a tile without masked keys and turns s into y. Returns the largest y of the lane. If it
  /// is above kSmallWeight, the effects are wrong, and add_effects() must compute them again.
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

  /// Adds a tile in which only columns [begin, end) up to the diagonal count. add_effects() must
  /// compute the effects afterwards.
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

  /// Stores the keys of the tile with y above the limit of their row, for use after the last key; a
  /// row has at most one. Computes the lane's sums again without these keys.
  __device__ __forceinline__ void take_dominants(const float (&y)[2][8][4],
                                                 const float (&g)[2][8][4], int32_t tile,
                                                 float first_limit, BinSums& own,
                                                 BinSums& nearer) const {
    float dominants[4] = {}, gradients[4] = {};
    int columns[4] = {};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      own.weights[i] = carry.weights[i], own.gradients[i] = carry.gradients[i];
      nearer.weights[i] = nearer.gradients[i] = 0;
    }
    for_elements<0, 8>([&](int m, int n, int e, BinPart part) {
      const int i = 2 * m + e / 2;
      const bool dominates = y[m][n][e] > (i == 0 ? first_limit : kDominant);
      dominants[i] = dominates ? y[m][n][e] : dominants[i];
      gradients[i] = dominates ? g[m][n][e] : gradients[i];
      columns[i] = dominates ? 8 * n + e % 2 : columns[i];
      const float weight = dominates ? 0.0f : y[m][n][e];
      add_to_part(part, e, weight, own.weights[i], nearer.weights[i]);
      add_to_part(part, e, weight * g[m][n][e], own.gradients[i], nearer.gradients[i]);
    });
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (!(dominants[i] > 0)) continue;
      const int32_t column = (columns[i] ^ (half * 32)) + 2 * (threadIdx.x % 4);
      work.dominants[local_row(i)] =
          make_float4(dominants[i], gradients[i], __int_as_float(tile * kBinTokens + column), 1);
    }
  }

  /// Computes |E| of a tile with any weights y, without dominant keys and without the only key of
  /// row 0.
  __device__ __forceinline__ void add_effects(const float (&y)[2][8][4], const float (&g)[2][8][4],
                                              const RowSums& rows, int32_t tile, BinSums& own,
                                              BinSums& nearer) const {
    // The limit for i = 0.
    const float first_limit = first_row + threadIdx.x % 32 / 4 == 0 ? 0.0f : kDominant;
    float rest = 0;
    bool any = false;
    own.effects = nearer.effects = 0;
    for_elements<0, 8>([&](int m, int n, int e, BinPart part) {
      const int i = 2 * m + e / 2;
      const float weight = y[m][n][e];
      const bool dominates = weight > (i == 0 ? first_limit : kDominant);
      any = any || dominates;
      const float factor = dominates ? 0.0f : weight * reciprocal_approximate(1.0f - weight);
      const float effect = fabsf(factor * (g[m][n][e] - rows.delta[i]));
      if (part == BinPart::kRest) {
        rest += effect;
      } else {
        add_to_part(part, e, effect, own.effects, nearer.effects);
      }
    });
    own.effects += half ? rest : 0.0f;
    nearer.effects += half ? 0.0f : rest;
    if (any) take_dominants(y, g, tile, first_limit, own, nearer);
  }

  __device__ __forceinline__ void put_effects(float x, int32_t index) const {
    x = warp_sum(x);
    if (threadIdx.x % 32 == 0) *work.effect(index, threadIdx.x / 32) = x;
  }
  __device__ __forceinline__ void put_rows(const BinSums& sums, int32_t entry) const {
    const float weight = quad_sums(sums.weights), gradient = quad_sums(sums.gradients);
    work.bin_sums[entry * kInfluenceRows + local_row(threadIdx.x % 4)] =
        make_float2(weight, gradient);
  }

  /// Adds S and G of a tile to the sums of its two bins.
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

template <int D>
constexpr int shared_bytes() {
  return 2 * MmaTile<D>::bytes(kInfluenceRows) + kSlots * MmaTile<D>::bytes(kBinTokens);
}

template <class T, int D>
__device__ __forceinline__ void influence_item(const InfluenceInputs<T>& p, const Workspace& work,
                                               uint8_t* shared, float2* row_sums, int32_t item) {
  using Tile = MmaTile<D>;
  const AttentionInputs<T>& in = p.in;
  const int32_t head = item % in.heads;
  const SegmentBlock at = find_block(p.segments, item / in.heads);
  // Blocks with the most tiles come first.
  const int32_t first_row = (at.blocks - 1 - at.block) * kInfluenceRows;
  const int32_t tiles =
      (min(first_row + kInfluenceRows, at.row_count) + kBinTokens - 1) / kBinTokens;
  const KeyWalk walk = key_walk(p.sink, tiles);
  const int64_t column = static_cast<int64_t>(head) * D,
                key_column = static_cast<int64_t>(head / in.group) * D;
  const uint32_t q = shared_address(shared), grad_out = q + Tile::bytes(kInfluenceRows),
                 slots = grad_out + Tile::bytes(kInfluenceRows);
  // Even steps copy the keys of a visit, odd steps its values.
  const auto load = [&](int32_t step, int32_t slot) {
    if (step < 2 * walk.visits) {
      const int32_t first = key_visit(walk, step / 2).tile * kBinTokens;
      Tile::template load<kBinTokens>(slots + slot * Tile::bytes(kBinTokens),
                                      step % 2 == 0 ? in.k : in.v, at.row_start, first,
                                      at.row_count, key_column);
    }
    cp_async_commit();
  };
  Tile::template load<kInfluenceRows>(q, in.q, at.row_start, first_row, at.row_count, column);
  load(0, 0);
  Tile::template load<kInfluenceRows>(grad_out, in.grad_out, at.row_start, first_row, at.row_count,
                                      column);
  load(1, 1);
  work.clear(tiles, p.bins);
  const int32_t row = first_row + static_cast<int32_t>(threadIdx.x);
  // Rows past the end of the segment have log2 sum +infinity, so that y = 0.
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
    // Afterwards the data of this step is there, and all warps have read the step before, whose
    // slot is loaded next.
    __syncthreads();
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
  finish_item(
      work, [] { __syncthreads(); }, reinterpret_cast<float2*>(shared), at, first_row, tiles,
      p.bins, p.sink, p.epsilon, p.partials + static_cast<int64_t>(item) * 3 * p.bins);
}

/// Items are in order of decreasing cost. They are dealt to the thread blocks forwards and
/// backwards in turn, so that every block gets about the same work.
template <class T, int D>
__global__ void __launch_bounds__(kMmaThreads, 2)
    influence_mma_kernel(const __grid_constant__ InfluenceInputs<T> p) {
  extern __shared__ __align__(1024) uint8_t shared[];
  __shared__ float2 row_sums[kInfluenceRows];
  const Workspace work(p.workspaces + blockIdx.x * Workspace::bytes(p.bins), p.bins);
  const auto blocks = static_cast<int32_t>(gridDim.x), block = static_cast<int32_t>(blockIdx.x);
  for (int32_t round = 0;; ++round) {
    const int32_t item = round * blocks + (round % 2 == 0 ? block : blocks - 1 - block);
    if (item >= p.items) break;
    influence_item<T, D>(p, work, shared, row_sums, item);
    __syncthreads();  // all threads have read shared memory and workspace
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
  for (const SegmentBlocks& launch : segment_blocks(params.segments, kInfluenceRows, INT32_MAX)) {
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
