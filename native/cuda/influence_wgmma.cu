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

#include "cuda/attention_gradient_wgmma.cuh"
#include "cuda/influence_wgmma_sums.cuh"

namespace moa::cuda {
namespace {

using namespace wgmma_tiles;
using namespace influence_tiles;

constexpr int kStages = 4;
constexpr int kWorkspaces = 2;
// Warpgroups: one that finishes, two consumers, the producer's. 128 * (88 + 24) + 256 * 192
// registers are less than what 512 threads of 128 have.
constexpr int kBlockThreads = kGroupThreads * (1 + kGroups + 1);
constexpr int kProducerThread = kGroupThreads * (1 + kGroups);
constexpr int kFinishRegisters = 88, kAddRegisters = 192, kLoadRegisters = 24;
constexpr int kFinishBarrier = 1, kGroupBarrier = 2;  // named; one of each consumer group
using Workspace = InfluenceWorkspace<kConsumerWarps>;
static_assert(kInfluenceRows == kGroups * kGroupRows && kInfluenceRows == kGroupThreads);
static_assert(kTileKeys == kTmaBoxRows);

struct InfluenceParameters {
  WgmmaOperands in;
  float* partials;      // [blocks, H, 3, bins]
  uint8_t* workspaces;  // kWorkspaces per block of threads
  int32_t items, bins, sink;
  float epsilon, log2_shift;  // log2(1 + epsilon)
  SegmentBlocks segments;
};
static_assert(sizeof(InfluenceParameters) <= 4096);

struct Barriers {
  uint64_t rows_full[kGroups], rows_empty[kGroups];
  uint64_t keys_full[kStages], keys_empty[kStages];
  uint64_t work_full[kWorkspaces], work_empty[kWorkspaces];
};

template <int kDim>
struct Layout {
  static constexpr int kTileBytes = kDim / kTmaBoxElements * kTmaBoxBytes;  // [columns][64 rows]
  static constexpr int kQueriesAt = 0;                                      // of each group
  static constexpr int kGradOutAt = kQueriesAt + kGroups * kTileBytes;
  static constexpr int kKeysAt = kGradOutAt + kGroups * kTileBytes;  // of each stage
  static constexpr int kValuesAt = kKeysAt + kStages * kTileBytes;
  static constexpr int kDominantsAt = kValuesAt + kStages * kTileBytes;  // float2 of each row
  static constexpr int kBarriersAt = kDominantsAt + kInfluenceRows * 8;
  static constexpr int kSharedBytes = kBarriersAt + sizeof(Barriers) + kAtomBytes;
};

/// Where things are for this block of threads.
struct Shared {
  char* base;
  uint32_t address;
  Barriers* barriers;
};

/// 128 query rows of one head.
struct Item {
  SegmentBlock at;
  int32_t index, head, first_row, tiles;

  __device__ __forceinline__ Item(const InfluenceParameters& p, int32_t index)
      : at(find_block(p.segments, index / p.in.heads)), index(index), head(index % p.in.heads) {
    first_row = (at.blocks - 1 - at.block) * kInfluenceRows;  // the longest first
    tiles = (min(first_row + kInfluenceRows, at.row_count) + kTileKeys - 1) / kTileKeys;
  }
};

/// Calls f(item, n) for the items of this block of threads. Items, in order of decreasing cost, are
/// dealt to the blocks back and forth, so that every block gets about the same work.
template <class F>
__device__ __forceinline__ void for_items(const InfluenceParameters& p, F&& f) {
  const auto blocks = static_cast<int32_t>(gridDim.x), block = static_cast<int32_t>(blockIdx.x);
  for (int32_t round = 0;; ++round) {
    const int32_t item = round * blocks + (round % 2 == 0 ? block : blocks - 1 - block);
    if (item >= p.items) break;
    f(Item(p, item), static_cast<uint32_t>(round));
  }
}

__device__ __forceinline__ Workspace workspace(const InfluenceParameters& p, uint32_t n) {
  const auto index = static_cast<int64_t>(blockIdx.x) * kWorkspaces + n;
  return {p.workspaces + index * Workspace::bytes(p.bins), p.bins};
}

/// One thread.
template <int kDim>
__device__ __forceinline__ void produce(const InfluenceParameters& p, const Shared& shared) {
  using L = Layout<kDim>;
  const WgmmaOperands& in = p.in;
  Turn<kStages> turn;
  for_items(p, [&](const Item& item, uint32_t n) {
    const int32_t row_start = item.at.row_start;
    for (int group = 0; group < kGroups; ++group) {
      const uint32_t full = shared_address(&shared.barriers->rows_full[group]);
      const uint32_t tile = shared.address + group * L::kTileBytes;
      const int32_t row = row_start + item.first_row + group * kGroupRows;
      barrier_wait(shared_address(&shared.barriers->rows_empty[group]), n % 2 ^ 1);
      barrier_arrive_expect_bytes(full, 2 * L::kTileBytes);
      load_tile<kDim, 1>(tile + L::kQueriesAt, in.q, item.head, row, full);
      load_tile<kDim, 1>(tile + L::kGradOutAt, in.grad_out, item.head, row, full);
    }
    const KeyWalk walk = key_walk(p.sink, item.tiles);
    for (int32_t v = 0; v < walk.visits; ++v, ++turn.count) {
      const uint32_t stage = turn.stage(), tile = shared.address + stage * L::kTileBytes;
      const uint32_t full = shared_address(&shared.barriers->keys_full[stage]);
      const int32_t row = row_start + key_visit(walk, v).tile * kTileKeys;
      barrier_wait(shared_address(&shared.barriers->keys_empty[stage]), turn.parity() ^ 1);
      barrier_arrive_expect_bytes(full, 2 * L::kTileBytes);
      load_tile<kDim, 1>(tile + L::kKeysAt, in.k, item.head / in.group, row, full);
      load_tile<kDim, 1>(tile + L::kValuesAt, in.v, item.head / in.group, row, full);
    }
  });
}

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

__device__ __forceinline__ void init_barriers(Barriers& barriers) {
  for (int group = 0; group < kGroups; ++group) {
    barrier_init(shared_address(&barriers.rows_full[group]), 1);
    barrier_init(shared_address(&barriers.rows_empty[group]), kGroupWarps);
  }
  for (int stage = 0; stage < kStages; ++stage) {
    barrier_init(shared_address(&barriers.keys_full[stage]), 1);
    barrier_init(shared_address(&barriers.keys_empty[stage]), kConsumerWarps);
  }
  for (int slot = 0; slot < kWorkspaces; ++slot) {
    barrier_init(shared_address(&barriers.work_full[slot]), kConsumerWarps);
    barrier_init(shared_address(&barriers.work_empty[slot]), 1);
  }
  barrier_init_fence();
}

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
