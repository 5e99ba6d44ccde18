#pragma once
// How tiles of a cache get into shared memory: which tile comes next, and the ring of stages that
// holds them. A stage holds the keys [64, D] of a tile, then its values [64, D], with rows swizzled
// as in memory. Only live slots are copied.
#include "cuda/decode/attention.cuh"
#include "cuda/device/barrier.cuh"
#include "cuda/device/mma.cuh"

namespace moa::cuda {

/// The layout of rows of 16-bit elements in a stage.
template <int kHeadDim>
struct TileRows {
  static constexpr int kRowBytes = 2 * kHeadDim;
  static constexpr int kBlockBytes = kTileTokens * kRowBytes;  // the keys, or the values
  static constexpr int kTileBytes = 2 * kBlockBytes;
  static constexpr int kChunks = kRowBytes / kChunkBytes;
  static constexpr int kSteps = kHeadDim / 16;  // of mma: two chunks each
  // Steps among which the swizzle permutes chunks: those of one line, or half line, of banks.
  static constexpr int kPermutedSteps = kChunks % 8 == 0 ? 4 : 2;

  /// Byte offset of chunk `chunk` (0 or 1) of `row`.
  __device__ static uint32_t lane_offset(int row, int chunk) {
    return row * kRowBytes + swizzled_chunk(chunk, row, kChunks) * kChunkBytes;
  }
  /// Turns the address of chunk c (0 or 1) of step 0 into that of the same chunk of another step.
  /// swizzled_chunk(2 step + c) is swizzled_chunk(c) with the bits of the step flipped, and nothing
  /// but the swizzle sets these address bits, because stages are aligned to 1024 bytes.
  __device__ static uint32_t step_address(uint32_t address, int step) {
    const int line = step / kPermutedSteps * kPermutedSteps;
    return (address ^ static_cast<uint32_t>(step - line) * 2 * kChunkBytes) +
           line * 2 * kChunkBytes;
  }
};

/// Sets 16 bytes of shared memory to zero.
__device__ __forceinline__ void store_zero_chunk(uint32_t shared) {
  *static_cast<uint4*>(__cvta_shared_to_generic(shared)) = make_uint4(0, 0, 0, 0);
}
/// Orders plain stores to a stage before the bulk copy that next fills it.
__device__ __forceinline__ void before_next_copy_fence() {
#if __CUDA_ARCH__ >= 900
  async_proxy_fence();
#endif
}

/// Where the live rows of a tile are in device memory: keys [live, D], values [live, D].
struct TileSource {
  const char* keys;
  const char* values;
  int live;
};

/// Goes through the tiles of a CTA in the order of cta_work. One warp uses it, and all its lanes
/// call together. Each lane loads the data of one item ahead, so that short items do not wait for a
/// chain of loads each: 31 lanes hold the next items of the body, the last lane holds the tail's
/// item.
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
  int32_t tile_ = 0, stop_ = 0, item_, loaded_ = 0;  // item_ is of the body
  int32_t first_tile_ = 0, slots_ = 0, capacity_ = 0;
  const char* address_ = nullptr;  // of tile 0 of the item
  PlanItem lane_entry_{};
  uint64_t lane_address_ = 0;
  int32_t lane_capacity_ = 0;
};

#if __CUDA_ARCH__ >= 900 || !defined(__CUDA_ARCH__)
/// For sm_90. A separate warp starts bulk copies of whole tiles. Every stage has a barrier for
/// "full", which counts the bytes of the copy, and one for "empty", at which each consumer warp
/// arrives.
template <int kHeadDim>
class BulkPipeline {
 public:
  using Rows = TileRows<kHeadDim>;

  /// `barriers` is the shared address of 16 bytes per stage.
  __device__ __forceinline__ BulkPipeline(uint32_t stages, int count, uint32_t barriers)
      : stages_(stages), barriers_(barriers), count_(count) {}

  /// Called by one thread, before the first barrier of the CTA.
  __device__ __forceinline__ void init(int consumer_warps) const {
    for (int stage = 0; stage < count_; ++stage) {
      barrier_init(full(stage), 1);
      barrier_init(empty(stage), consumer_warps);
    }
    barrier_init_fence();
  }

  /// Called by the copying warp: copies all tiles of the cursor.
  __device__ __forceinline__ void produce(TileCursor<kHeadDim> cursor) {
    for (; !cursor.done(); cursor.advance()) {
      const TileSource source = cursor.source();
      barrier_wait(empty(stage_), phase_ ^ 1);  // does not wait in the first round
      if (threadIdx.x % 32 == 0) copy(source);
      __syncwarp();
      next();
    }
  }

  /// Consumer warps call acquire() for the shared address of the next tile, and release() when they
  /// have read it.
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

/// For sm_80. Every consumer warp copies the rows that it will read itself, several stages ahead,
/// and waits for no other warp.
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
    // Waits until only the copies for later stages are still running.
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
  /// Copies the cursor's tile into a stage. A group is committed even when no tile is left, so that
  /// the number of groups stays the number of stages.
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
