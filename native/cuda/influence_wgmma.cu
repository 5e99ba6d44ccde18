// Attention influence by distance by wgmma and TMA (sm_90a), f16 and bf16, head dims 64 and 128:
// formulas in src/native/backend.ts, what waits for a row's end and why in influence_mma.cu.
//
// One persistent block per SM walks items of 128 query rows of one head. A producer thread feeds
// them and the tiles of 64 keys and values that they visit through TMA. Each of two consumer
// warpgroups has 64 rows: S = Q K^T and G = gradOut V^T, weights are made while G is under way, and
// one group's sums by row and bin run under the other's products. A third warpgroup finishes the
// rows of an item, a thread per row, while the next one's are added up: two workspaces take turns.
#include <algorithm>
#include <cmath>

#include "cuda/influence_wgmma_tiles.cuh"

namespace moa::cuda {
namespace {

using namespace wgmma_tiles;
using namespace influence_tiles;

/// The warpgroup that finishes items; its threads are those of influence_rows.cuh.
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

/// One of the warpgroups that compute; a thread holds rows g and g + 8 of its warp's 16.
template <class T, int kDim>
struct Consumer {
  using L = Layout<kDim>;
  const InfluenceParameters& p;
  const Shared& shared;
  const int group;
  RowsOfThread at;
  Turn<kStages> turn;
  float s[kSums], g[kSums];  // [64 rows, 64 keys]
  BinSums carry;  // of the bin that the next tile completes; of all sinks during their visits

  __device__ __forceinline__ Consumer(const InfluenceParameters& p, const Shared& shared)
      : p(p), shared(shared), group(warp_uniform_group()) {
    at.warp = __shfl_sync(0xffffffffu, static_cast<int>(threadIdx.x) / 32 % kGroupWarps, 0);
    at.lane = static_cast<int>(threadIdx.x) % 32;
  }

  /// Of the item: of row g.
  __device__ __forceinline__ int32_t local_row() const {
    return group * kGroupRows + at.warp * kWarpRows + at.lane / 4;
  }
  /// Every warp lets go for itself, once its own products are done.
  __device__ __forceinline__ void release(uint64_t* barrier) {
    if (at.lane == 0) barrier_arrive(shared_address(barrier));
  }

  __device__ __forceinline__ void put_effects(const Workspace& work, float x, int32_t index) const {
    x = warp_sum(x);
    if (at.lane == 0) *work.effect(index, group * kGroupWarps + at.warp) = x;
  }
  __device__ __forceinline__ void put_rows(const Workspace& work, const BinSums& sums,
                                           int32_t entry) const {
    const float mine[4] = {sums.weights[0], sums.gradients[0], sums.weights[1], sums.gradients[1]};
    const int32_t t = at.lane % 4;
    float2* row = work.bin_sums + entry * kInfluenceRows + local_row() + t / 2 * 8;
    reinterpret_cast<float*>(row)[t % 2] = quad_sums(mine);
  }

  /// From S and G under way to y and G, which are 0 for keys outside [begin, end) and past the
  /// diagonal. Whether all y are small.
  __device__ __forceinline__ bool weigh(int32_t begin, int32_t end, bool diagonal) {
    wgmma_wait<1>(s);
    const bool masks = diagonal || begin > 0 || end < kTileKeys;
    const bool small = make_weights(at, p.in.to_log2, s) <= kSmallWeight;
    // A branch that wants every y keeps ptxas from moving their making behind the wait for G.
    if (masks) mask_tile(at, begin, end, diagonal, s);
    wgmma_wait<0>(g);
    release(&shared.barriers->keys_empty[turn.stage()]);
    if (masks) mask_tile(at, begin, end, diagonal, g);
    return !diagonal && !__any_sync(0xffffffffu, !small);
  }

  /// A tile into the sums of its two bins; `bin` is the own one.
  __device__ __forceinline__ void add(const Workspace& work, const KeyVisit& visit, int32_t end,
                                      int32_t bin, bool last_sinks) {
    BinSums own = carry;
    const bool small = weigh(visit.begin, min(visit.end, end), bin == 0);
    if (bin == 0) note_own(at, work, local_row(), s, g);
    if (small) {
      carry = add_tile<true>(at, s, g, own);
    } else {
      take_dominants(at, work, local_row(), visit.tile * kTileKeys, s, g);
      carry = add_tile<false>(at, s, g, own);
    }
    put_effects(work, own.effects, (visit.sinks ? p.bins : 0) + bin);
    if (!visit.sinks) return put_rows(work, own, bin);
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      carry.weights[r] += own.weights[r], carry.gradients[r] += own.gradients[r];
    }
    if (!last_sinks) return;
    put_rows(work, carry, p.bins);
    if (bin > 0) put_effects(work, carry.effects, p.bins + bin - 1);
    carry = BinSums{};
  }

  __device__ __forceinline__ void load_rows(const Item& item) {
    at.row = item.first_row + local_row();
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const float2 x =
          p.in.row_sums(item.head, item.at.row_start, at.row + 8 * r, item.at.row_count);
      at.log2_sum[r] = x.x + p.log2_shift, at.delta[r] = x.y;
    }
  }

  /// Rows past the segment's end become zeros: |E| is summed over rows.
  __device__ __forceinline__ void clear_past_end(int32_t rows) {
    if (rows >= kGroupRows) return;
    char* tile = shared.base + group * L::kTileBytes;
    clear_rows<kDim>(tile + L::kQueriesAt, kTmaBoxBytes, rows, kGroupRows);
    clear_rows<kDim>(tile + L::kGradOutAt, kTmaBoxBytes, rows, kGroupRows);
    named_barrier_sync(kGroupBarrier + group, kGroupThreads);
  }

  __device__ __forceinline__ void visit_tiles(const Workspace& work, const Item& item) {
    const KeyWalk walk = key_walk(p.sink, item.tiles);
    const int32_t block = item.first_row / kTileKeys + group;
    const int32_t count = item.at.row_count - item.first_row - group * kGroupRows;
    const uint32_t rows = shared.address + group * L::kTileBytes;
    carry = BinSums{};
    clear_past_end(max(count, 0));
    for (int32_t v = 0; v < walk.visits; ++v, ++turn.count) {
      const uint32_t stage = turn.stage(), tile = shared.address + stage * L::kTileBytes;
      const KeyVisit visit = key_visit(walk, v);
      barrier_wait(shared_address(&shared.barriers->keys_full[stage]), turn.parity());
      if (count <= 0 || visit.tile > block) {
        release(&shared.barriers->keys_empty[stage]);
        continue;
      }
      multiply_rows<T, kDim>(s, rows + L::kQueriesAt, kTmaBoxBytes, tile + L::kKeysAt,
                             kTmaBoxBytes);
      multiply_rows<T, kDim>(g, rows + L::kGradOutAt, kTmaBoxBytes, tile + L::kValuesAt,
                             kTmaBoxBytes);
      add(work, visit, item.at.row_count - visit.tile * kTileKeys, block - visit.tile,
          v == walk.sink_visits - 1 || visit.tile == block);
    }
  }

  __device__ __forceinline__ void run() {
    for_items(p, [&](const Item& item, uint32_t n) {
      const uint32_t slot = n % kWorkspaces;
      load_rows(item);
      barrier_wait(shared_address(&shared.barriers->work_empty[slot]), n / kWorkspaces % 2);
      barrier_wait(shared_address(&shared.barriers->rows_full[group]), n % 2);
      visit_tiles(workspace(p, slot), item);
      release(&shared.barriers->rows_empty[group]);
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
