#pragma once
// Tiles of a cache on their way into shared memory: which come next, and the ring of stages that
// they come through. A stage holds the tile's keys [64, D], then its values [64, D], rows swizzled
// as in memory; of a tile with fewer live slots only those arrive.
#include "cuda/decode/attention.cuh"
#include "cuda/device/barrier.cuh"
#include "cuda/device/mma.cuh"

namespace moa::cuda {

/// Rows of 16-bit elements in a stage, and where ldmatrix finds them.
template <int kHeadDim>
struct TileRows {
  static constexpr int kRowBytes = 2 * kHeadDim;
  static constexpr int kBlockBytes = kTileTokens * kRowBytes;  // keys, or values
  static constexpr int kTileBytes = 2 * kBlockBytes;
  static constexpr int kChunks = kRowBytes / kChunkBytes;
  static constexpr int kSteps = kHeadDim / 16;  // of mma: two chunks each
  // Steps whose chunks the swizzle exchanges: those of a line, or a half line, of banks.
  static constexpr int kPermutedSteps = kChunks % 8 == 0 ? 4 : 2;

  /// Of chunk 0 or 1 of `row`.
  __device__ static uint32_t lane_offset(int row, int chunk) {
    return row * kRowBytes + swizzled_chunk(chunk, row, kChunks) * kChunkBytes;
  }
  /// From chunk c of step 0 at `address` to the same of another step: swizzled_chunk(2 step + c) is
  /// swizzled_chunk(c) with the step's bits flipped, and those address bits are zero but for the
  /// swizzle. Stages are 1024-byte aligned.
  __device__ static uint32_t step_address(uint32_t address, int step) {
    const int line = step / kPermutedSteps * kPermutedSteps;
    return (address ^ static_cast<uint32_t>(step - line) * 2 * kChunkBytes) +
           line * 2 * kChunkBytes;
  }
};

/// Zeros into 16 bytes of shared memory.
__device__ __forceinline__ void store_zero_chunk(uint32_t shared) {
  *static_cast<uint4*>(__cvta_shared_to_generic(shared)) = make_uint4(0, 0, 0, 0);
}
/// Orders plain stores to a stage before the bulk copy that next fills it.
__device__ __forceinline__ void before_next_copy_fence() {
#if __CUDA_ARCH__ >= 900
  async_proxy_fence();
#endif
}

/// Where a tile's live rows are in memory.
struct TileSource {
  const char* keys;
  const char* values;
  int live;
};

/// One warp's way through a CTA's tiles, in the order of cta_work. Each lane knows an item, so that
/// items of one tile do not each wait for a chain of loads: 31 lanes the next items of the body,
/// the last one the tail's. All lanes call together.
template <int kHeadDim>
class TileCursor {
 public:
  __device__ __forceinline__ TileCursor(const DecodeInput& input, const CtaWork& work)
      : input_(input), work_(work), in_tail_(work.has_tail), item_(work.first_item) {
    tile_ = in_tail_ ? work.body_end : work.begin;
    stop_ = in_tail_ ? work.end : work.body_end;
    load_items(in_tail_);
    open_item(in_tail_ ? kTailLane : 0);
  }

  __device__ __forceinline__ bool done() const { return tile_ == stop_; }

  __device__ __forceinline__ TileSource source() const {
    using Rows = TileRows<kHeadDim>;
    const int32_t tile = tile_ - first_tile_;
    const char* keys = address_ + static_cast<int64_t>(tile) * Rows::kTileBytes;
    const int32_t live = min(slots_ - tile * kTileTokens, kTileTokens);
    return {keys, keys + tile_slots(tile, capacity_) * Rows::kRowBytes, live};
  }

  __device__ __forceinline__ void advance() {
    if (++tile_ == stop_) {
      if (!in_tail_) return;
      in_tail_ = false;
      tile_ = work_.begin;
      stop_ = work_.body_end;
      open_item(0);
    } else if (tile_ == first_tile_ + tiles_of(slots_)) {
      if (++item_ == loaded_ + kTailLane) load_items(false);
      open_item(item_ - loaded_);
    }
  }

 private:
  static constexpr int kTailLane = 31;

  __device__ __forceinline__ void load_items(bool with_tail) {
    loaded_ = item_;
    const int lane = threadIdx.x % 32;
    const bool tail = lane == kTailLane;
    const int32_t item = tail ? work_.tail_item : loaded_ + lane;
    if (tail ? !with_tail : item >= input_.plan.header->items) return;
    lane_entry_ = input_.plan.items[item];
    const int32_t kv_head = item - lane_entry_.row * input_.kv_heads;
    const int64_t head = input_.head_index(lane_entry_.sequence, kv_head);
    lane_address_ = input_.heads[head];
    lane_capacity_ = input_.capacities[head];
  }
  __device__ __forceinline__ void open_item(int lane) {
    first_tile_ = __shfl_sync(0xffffffffu, lane_entry_.first_tile, lane);
    slots_ = __shfl_sync(0xffffffffu, lane_entry_.slots, lane);
    capacity_ = __shfl_sync(0xffffffffu, lane_capacity_, lane);
    address_ = reinterpret_cast<const char*>(
        __shfl_sync(0xffffffffu, static_cast<unsigned long long>(lane_address_), lane));
  }

  const DecodeInput& input_;
  CtaWork work_;
  bool in_tail_;
  int32_t tile_ = 0, stop_ = 0, item_, loaded_ = 0;  // item_: of the body
  int32_t first_tile_ = 0, slots_ = 0, capacity_ = 0;
  const char* address_ = nullptr;  // of the item's tile 0
  PlanItem lane_entry_{};
  uint64_t lane_address_ = 0;
  int32_t lane_capacity_ = 0;
};

#if __CUDA_ARCH__ >= 900 || !defined(__CUDA_ARCH__)
/// sm_90: a warp of its own starts bulk copies of whole tiles. Every stage has a barrier for "full"
/// (the copy's bytes) and one for "empty" (an arrival of each consumer warp).
template <int kHeadDim>
class BulkPipeline {
 public:
  using Rows = TileRows<kHeadDim>;

  /// `barriers`: shared memory of 16 bytes a stage.
  __device__ __forceinline__ BulkPipeline(uint32_t stages, int count, uint32_t barriers)
      : stages_(stages), barriers_(barriers), count_(count) {}

  /// One thread, before the CTA's first barrier.
  __device__ __forceinline__ void init(int consumer_warps) const {
    for (int stage = 0; stage < count_; ++stage) {
      barrier_init(full(stage), 1);
      barrier_init(empty(stage), consumer_warps);
    }
    barrier_init_fence();
  }

  /// The copying warp: all tiles of the cursor.
  __device__ __forceinline__ void produce(TileCursor<kHeadDim> cursor) {
    for (; !cursor.done(); cursor.advance()) {
      const TileSource source = cursor.source();
      barrier_wait(empty(stage_), phase_ ^ 1);  // at once in the first round
      if (threadIdx.x % 32 == 0) copy(source);
      __syncwarp();
      next();
    }
  }

  /// Consumer warps: the next tile, and when it is read.
  __device__ __forceinline__ uint32_t acquire() {
    barrier_wait(full(stage_), phase_);
    return stages_ + stage_ * Rows::kTileBytes;
  }
  __device__ __forceinline__ void release() {
    __syncwarp();
    if (threadIdx.x % 32 == 0) barrier_arrive(empty(stage_));
    next();
  }

 private:
  __device__ __forceinline__ uint32_t full(int stage) const { return barriers_ + stage * 16; }
  __device__ __forceinline__ uint32_t empty(int stage) const { return full(stage) + 8; }
  __device__ __forceinline__ void next() {
    if (++stage_ < count_) return;
    stage_ = 0;
    phase_ ^= 1;
  }
  __device__ __forceinline__ void copy(const TileSource& source) const {
    const uint32_t keys = stages_ + stage_ * Rows::kTileBytes,
                   bytes = source.live * Rows::kRowBytes;
    barrier_arrive_expect_bytes(full(stage_), 2 * bytes);
    if (source.live == kTileTokens) {
      bulk_copy(keys, source.keys, 2 * bytes, full(stage_));
      return;
    }
    bulk_copy(keys, source.keys, bytes, full(stage_));
    bulk_copy(keys + Rows::kBlockBytes, source.values, bytes, full(stage_));
  }

  uint32_t stages_, barriers_;
  int count_, stage_ = 0;
  uint32_t phase_ = 0;
};
#endif

/// sm_80: every consumer warp copies the rows that it reads itself, stages ahead, and waits for
/// nobody else.
template <int kHeadDim>
class AsyncPipeline {
 public:
  using Rows = TileRows<kHeadDim>;

  /// The warp's rows are [first, first + rows) of every tile.
  __device__ __forceinline__ AsyncPipeline(uint32_t stages, int count, int first, int rows,
                                           const TileCursor<kHeadDim>& cursor)
      : stages_(stages), count_(count), first_(first), rows_(rows), cursor_(cursor) {
    for (int stage = 0; stage < count_; ++stage) copy(stage);
  }

  __device__ __forceinline__ uint32_t acquire() {
    // Of the groups committed, all but those of the later stages must be there.
    if (count_ >= 4) {
      cp_async_wait<3>();
    } else if (count_ == 3) {
      cp_async_wait<2>();
    } else if (count_ == 2) {
      cp_async_wait<1>();
    } else {
      cp_async_wait<0>();
    }
    __syncwarp();
    return stages_ + stage_ * Rows::kTileBytes;
  }
  __device__ __forceinline__ void release() {
    __syncwarp();
    copy(stage_);
    if (++stage_ == count_) stage_ = 0;
  }

 private:
  /// The cursor's tile into a stage. A group is committed even when no tile is left, so that groups
  /// count stages.
  __device__ __forceinline__ void copy(int stage) {
    if (!cursor_.done()) {
      const TileSource source = cursor_.source();
      const int offset = first_ * Rows::kRowBytes;
      const int bytes = min(source.live - first_, rows_) * Rows::kRowBytes;
      const uint32_t keys = stages_ + stage * Rows::kTileBytes + offset;
      for (int at = threadIdx.x % 32 * kChunkBytes; at < bytes; at += 32 * kChunkBytes) {
        cp_async_16(keys + at, source.keys + offset + at);
        cp_async_16(keys + Rows::kBlockBytes + at, source.values + offset + at);
      }
      cursor_.advance();
    }
    cp_async_commit();
  }

  uint32_t stages_;
  int count_, first_, rows_, stage_ = 0;
  TileCursor<kHeadDim> cursor_;
};

}  // namespace moa::cuda
