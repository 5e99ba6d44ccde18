// q, gradOut [T, H, D], k, v [T, Hkv, D], row sums [H, T] (gradient/row_sums.cu) -> partial sums of
// the attention influence by distance by wgmma and TMA (sm_90a), in f16 and bf16, for head dims 64
// and 128. The formulas are in src/native/backend.ts; gradient/influence_mma.cu says which results
// wait for the last key of a row, and why.
//
// One persistent thread block per SM goes through items of 128 query rows of one head. A producer
// thread copies these rows, and the tiles of 64 keys and values that they visit, by TMA. Each of
// two consumer warpgroups has 64 rows, in registers (a product of 64 x 64 x 16 with both operands
// in shared memory would use all of its bandwidth). S = Q K^T of a tile is computed while the tile
// before is summed by row and bin, and G = gradOut V^T while weights are computed. A third
// warpgroup finishes the rows of an item, one thread per row, while the consumers work on the next
// item; two workspaces alternate for this.
// Measured: reports/cuda/2026-11-24-h200
#include <algorithm>
#include <cmath>

#include "cuda/gradient/influence_wgmma_tiles.cuh"

namespace moa::cuda {
namespace {

using namespace wgmma_tiles;
using namespace influence_tiles;

/// The work of the warpgroup that finishes items. Its threads are the threads [0, kInfluenceRows)
/// of gradient/influence_rows.cuh.
template <int kDim>
__device__ __forceinline__ void finish(const InfluenceParameters& p, const Shared& shared) {
  auto* dominants = reinterpret_cast<float2*>(shared.base + Layout<kDim>::kDominantsAt);
  const auto sync = [] { named_barrier_sync(kFinishBarrier, kGroupThreads); };
  const auto hand_out = [&](uint32_t slot) {
    sync();
    if (threadIdx.x == 0) barrier_arrive(shared_address(&shared.barriers->work_empty[slot]));
  };
  for (uint32_t slot = 0; slot < kWorkspaces; ++slot) {
    workspace(p, slot).clear(p.bins, p.bins);
    hand_out(slot);
  }
  for_items(p, [&](const Item& item, uint32_t n) {
    const uint32_t slot = n % kWorkspaces;
    const Workspace work = workspace(p, slot);
    barrier_wait(shared_address(&shared.barriers->work_full[slot]), n / kWorkspaces % 2);
    finish_item(work, sync, dominants, item.at, item.first_row, item.tiles, p.bins, p.sink,
                p.epsilon, p.partials + static_cast<int64_t>(item.index) * 3 * p.bins);
    sync();
    work.clear(item.tiles, p.bins);
    hand_out(slot);
  });
}

/// One consumer warpgroup. A thread holds rows g and g + 8 of the 16 rows of its warp.
template <class T, int kDim>
struct Consumer {
  using L = Layout<kDim>;
  const InfluenceParameters& p;
  const Shared& shared;
  const int group;
  RowsOfThread at;
  Turn<kStages> turn;
  uint32_t queries[kDim / 16][4], grad_out[kDim / 16][4];  // [64 rows, kDim] as A operands
  float s[kSums], y[kSums], g[kSums], d[kSums];            // [64 rows, 64 keys]
  // Sums of the bin that the next tile completes; during visits to sinks, of all sinks.
  BinSums carry;
  // Byte offset in shared memory of this lane's |E| past the sinks, [kEffectBins, 32].
  int32_t effects;
  // In the workspace: where this lane writes its result of quad_sums for bin 0.
  float* row_sums;

  __device__ __forceinline__ Consumer(const InfluenceParameters& p, const Shared& shared)
      : p(p), shared(shared), group(warp_uniform_group()) {
    at.warp = __shfl_sync(0xffffffffu, static_cast<int>(threadIdx.x) / 32 % kGroupWarps, 0);
    at.lane = kept(static_cast<int>(threadIdx.x) % 32);
    effects = kept(L::kEffectsAt + ((group * kGroupWarps + at.warp) * kEffectBins * 32 + at.lane) *
                                       static_cast<int>(sizeof(float)));
  }

  /// The number of row g within the item.
  __device__ __forceinline__ int32_t local_row() const {
    return group * kGroupRows + at.warp * kWarpRows + at.lane / 4;
  }
  /// Called by every warp for itself, when its own products are done.
  __device__ __forceinline__ void release(uint64_t* barrier) {
    if (at.lane == 0) barrier_arrive(shared_address(barrier));
  }

  __device__ __forceinline__ float* effect(const Workspace& work, int32_t index) const {
    return work.effect(index, group * kGroupWarps + at.warp);
  }
  __device__ __forceinline__ void put_sink_effects(const Workspace& work, float x,
                                                   int32_t bin) const {
    x = warp_sum(x);
    if (at.lane == 0) *effect(work, p.bins + bin) = x;
  }
  /// Takes |E| of a bin past the sinks. Bins come one by one from `farthest` down to 0. The lanes'
  /// values are summed for kEffectBins bins at a time, by a quad of lanes per bin.
  __device__ __forceinline__ void put_effects(const Workspace& work, float x, int32_t bin,
                                              int32_t farthest) const {
    auto* cell = reinterpret_cast<float*>(shared.base + effects);
    cell[static_cast<uint32_t>(bin) % kEffectBins * 32] = x;
    if (bin % kEffectBins != 0) return;
    static_assert(kEffectBins == 8);
    __syncwarp();
    const float4* mine = reinterpret_cast<const float4*>(cell + 7 * at.lane);
    const float4 a = mine[0], b = mine[1];
    float sum = (a.x + a.y + (a.z + a.w)) + (b.x + b.y + (b.z + b.w));
    sum += __shfl_xor_sync(0xffffffffu, sum, 1);
    sum += __shfl_xor_sync(0xffffffffu, sum, 2);
    bin += at.lane / 4;
    if (at.lane % 4 == 0 && bin <= farthest) *effect(work, bin) = sum;
    __syncwarp();  // all lanes have read
  }
  __device__ __forceinline__ void put_rows(const BinSums& sums, int32_t entry) const {
    row_sums[entry * (2 * kInfluenceRows)] = quad_sums(at, sums);
  }

  __device__ __forceinline__ void issue_scores(const Turn<kStages>& of) {
    barrier_wait(shared_address(&shared.barriers->keys_full[of.stage()]), of.parity());
    multiply_operand<T>(s, queries, shared.address + L::kKeysAt + of.stage() * L::kTileBytes,
                        kTmaBoxBytes);
  }

  /// Turns S into y and d, which are 0 for keys outside [begin, end) and past the diagonal. With
  /// kNext, also issues S of the next tile. Returns whether all y are small; on the diagonal always
  /// false.
  template <bool kNext>
  __device__ __forceinline__ bool weigh(int32_t begin, int32_t end, bool diagonal) {
    take_log2_sum(at, p.in.to_log2, s, y);
    multiply_operand<T>(g, grad_out, shared.address + L::kValuesAt + turn.stage() * L::kTileBytes,
                        kTmaBoxBytes);
    const bool masks = diagonal || begin > 0 || end < kTileKeys;
    const bool small = make_weights(y) <= kSmallWeight;
    // This branch needs every y, which keeps ptxas from moving their computation behind the wait
    // for G.
    if (masks) mask_tile(at, begin, end, diagonal, y);
    if constexpr (kNext) issue_scores({turn.count + 1});
    wgmma_wait<kNext ? 1 : 0>(g);
    release(&shared.barriers->keys_empty[turn.stage()]);
    take_delta(at, g, d);
    if (masks) mask_tile(at, begin, end, diagonal, d);
    return !diagonal && !__any_sync(0xffffffffu, !small);
  }

  /// Adds y and d of a visited tile to the sums of its two bins; `bin` is the tile's own bin.
  __device__ __forceinline__ void add(const Workspace& work, const KeyVisit& visit, bool small,
                                      int32_t bin, bool last_sinks, int32_t farthest) {
    BinSums own = carry;
    if (small) {
      carry = add_small_tile(at, y, d, own);
    } else {
      take_dominants(at, work, local_row(), visit.tile * kTileKeys, y, d);
      carry = add_tile<false>(at, at.warp, y, d, own);
    }
    if (!visit.sinks) {
      put_rows(own, bin);
      return put_effects(work, own.effects, bin, farthest);
    }
    put_sink_effects(work, own.effects, bin);
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      carry.weights[r] += own.weights[r], carry.gradients[r] += own.gradients[r];
    }
    if (!last_sinks) return;
    put_rows(carry, p.bins);
    if (bin > 0) put_sink_effects(work, carry.effects, bin - 1);
    carry = BinSums{};
  }

  /// Loads the rows of an item. Rows past the end of the segment become zeros, because |E| is
  /// summed over all rows.
  __device__ __forceinline__ void load_rows(const Item& item, uint32_t n) {
    at.row = item.first_row + local_row();
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const float2 x =
          p.in.row_sums(item.head, item.at.row_start, at.row + 8 * r, item.at.row_count);
      at.log2_sum[r] = x.x + p.log2_shift, at.delta[r] = at.row + 8 * r == 0 ? 0.0f : x.y;
    }
    const uint32_t tile = shared.address + group * L::kTileBytes;
    barrier_wait(shared_address(&shared.barriers->rows_full[group]), n % 2);
    load_operand(queries, tile + L::kQueriesAt, kTmaBoxBytes, at.warp, at.lane);
    load_operand(grad_out, tile + L::kGradOutAt, kTmaBoxBytes, at.warp, at.lane);
    __syncwarp();  // all lanes have read
    release(&shared.barriers->rows_empty[group]);
    if (item.first_row + (group + 1) * kGroupRows <= item.at.row_count) return;
#pragma unroll
    for (int i = 0; i < kDim / 4; ++i) {
      if (at.row + i % 2 * 8 < item.at.row_count) continue;
      queries[i / 4][i % 4] = 0, grad_out[i / 4][i % 4] = 0;
    }
  }

  __device__ __forceinline__ void wait_keys() {
    barrier_wait(shared_address(&shared.barriers->keys_full[turn.stage()]), turn.parity());
  }

  __device__ __forceinline__ void visit_tiles(const Workspace& work, const Item& item) {
    const int32_t block = item.first_row / kTileKeys + group;
    const int32_t visits = key_walk(p.sink, item.tiles).visits;
    // The tiles up to the diagonal of this group come first.
    const KeyWalk walk = key_walk(p.sink, min(block + 1, item.tiles));
    const int32_t mine = block < item.tiles ? walk.visits : 0;
    carry = BinSums{};
    float2* first_row_sums = work.bin_sums + local_row() + at.lane % 4 / 2 * 8;
    row_sums = kept(reinterpret_cast<float*>(first_row_sums) + at.lane % 2);
    const int32_t farthest = block - p.sink / kTileKeys;
    const int32_t length = item.at.row_count;
    if (mine > 0) {
      issue_scores(turn);
      wgmma_wait<0>(s);
    }
    for (int32_t v = 0; v < mine - 1; ++v, ++turn.count) {
      const KeyVisit visit = key_visit(walk, v);
      const int32_t end = min(visit.end, length - visit.tile * kTileKeys);
      const bool small = weigh<true>(visit.begin, end, visit.tile == block);
      add(work, visit, small, block - visit.tile, v == walk.sink_visits - 1, farthest);
      wgmma_wait<0>(s);
    }
    if (mine > 0) {  // the last tile is the diagonal
      const KeyVisit visit = key_visit(walk, mine - 1);
      weigh<false>(visit.begin, min(visit.end, length - visit.tile * kTileKeys), true);
      note_own(at, work, local_row(), y, d);
      add(work, visit, false, 0, true, farthest);
      ++turn.count;
    }
    for (int32_t v = mine; v < visits; ++v, ++turn.count) {
      wait_keys();
      __syncwarp();  // no lane still waits for what is released next
      release(&shared.barriers->keys_empty[turn.stage()]);
    }
  }

  __device__ __forceinline__ void run() {
    for_items(p, [&](const Item& item, uint32_t n) {
      const uint32_t slot = n % kWorkspaces;
      load_rows(item, n);
      barrier_wait(shared_address(&shared.barriers->work_empty[slot]), n / kWorkspaces % 2);
      visit_tiles(workspace(p, slot), item);
      __syncwarp();  // all lanes have written
      release(&shared.barriers->work_full[slot]);
    });
  }
};

template <class T, int kDim>
__global__ void __launch_bounds__(kBlockThreads, 1)
    influence_wgmma_kernel(const __grid_constant__ InfluenceParameters p) {
  if constexpr (kHasWgmma) {
    extern __shared__ char unaligned[];
    Shared shared;
    shared.base = aligned_to_atom(unaligned);
    shared.address = shared_address(shared.base);
    shared.barriers = reinterpret_cast<Barriers*>(shared.base + Layout<kDim>::kBarriersAt);
    if (threadIdx.x == 0) init_barriers(*shared.barriers);
    __syncthreads();
    if (threadIdx.x < kGroupThreads) {
      registers_decrease<kFinishRegisters>();
      finish<kDim>(p, shared);
    } else if (threadIdx.x < kProducerThread) {
      registers_increase<kAddRegisters>();
      Consumer<T, kDim>(p, shared).run();
    } else {
      registers_decrease<kLoadRegisters>();
      if (threadIdx.x == kProducerThread) produce<kDim>(p, shared);
    }
  }
}

template <class T, int kDim>
void launch(Context& context, const InfluenceParams& params) {
  InfluenceParameters p{};
  p.in = wgmma_operands(context, params);
  p.sink = params.sink, p.epsilon = params.epsilon;
  p.log2_shift = std::log2(1.0f + params.epsilon);
  const auto kernel = influence_wgmma_kernel<T, kDim>;
  constexpr int kBytes = Layout<kDim>::kSharedBytes;
  allow_shared_bytes(kernel, kBytes);
  for (const SegmentBlocks& launch : segment_blocks(params.segments, kInfluenceRows, INT32_MAX)) {
    p.segments = launch;
    p.items = launch.blocks * p.in.heads;
    p.bins = (launch.longest + kBinTokens - 1) / kBinTokens;
    const int blocks = std::min(p.items, context.multiprocessors());
    p.partials = context.scratch_of<float>(Scratch::kInfluencePartials,
                                           static_cast<int64_t>(p.items) * 3 * p.bins);
    p.workspaces = context.scratch_of<uint8_t>(Scratch::kInfluenceRows,
                                               blocks * kWorkspaces * Workspace::bytes(p.bins));
    kernel<<<blocks, kBlockThreads, kBytes, context.stream>>>(p);
    MOA_CUDA_CHECK_LAUNCH();
    add_influence_partials(context, params, p.partials, launch.blocks, p.bins);
  }
}

}  // namespace

void influence_wgmma(Context& context, const InfluenceParams& params) {
  with_wgmma_shape(params.q.dtype, params.q.shape[2],
                   [&]<class T, int kDim>() { launch<T, kDim>(context, params); });
}

}  // namespace moa::cuda
