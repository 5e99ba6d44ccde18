#pragma once
// Which keys a block of query rows visits in prefill attention. Host and device share this
// arithmetic, which is tested on the CPU (tests/prefill_blocks_test.cc).
//
// The source holds the keys of one segment and KV head in order of position: first the sinks, then
// the rest, without the `gap` evicted tokens between them. So the key at `index` has position
// `index` if that is below `sink`, else `index + gap`. The query at position i sees the key at
// position j iff j <= i and (j < sink or i - j < window).
//
// A block of queries at positions [position, end) sees two runs of keys: the sinks [0, min(sink,
// end)), and [left, end) with left = max(sink, position - window + 1). Both runs are visited in
// blocks of 64 keys, each from its own start. So no block is visited without need, and no key
// twice. A kernel with blocks of 128 keys takes two such blocks at a time, which need not be
// neighbours.
#include <cstdint>

#include "moa/ring.h"

namespace moa::cuda {

constexpr int32_t kKeyBlock = kBlockTokens;
/// The window of a mask that is only causal: no distance reaches it.
constexpr int32_t kUnlimitedWindow = 1 << 30;

/// The mask of one KV head. `sink` is a multiple of 64, and 0 with an unlimited window.
struct PrefillMask {
  int32_t sink = 0, window = kUnlimitedWindow, gap = 0;

  MOA_HOST_DEVICE bool sees(int32_t query, int32_t key) const {
    return key <= query && (key < sink || query - key < window);
  }
};

/// The work of one thread block: `rows` query rows of one head. Its size is three int4.
struct alignas(16) PrefillItem {
  PrefillMask mask;
  int32_t position;      // of its first query
  int32_t row, rows;     // packed rows [row, row + rows) of q and out
  int32_t head;          // of q and out
  int32_t key_row;       // row of key 0 in the source
  int32_t key_head;      // head in the source
  int32_t sink_blocks;   // blocks of 64 sinks
  int32_t window_start;  // position of the first key of the blocks after them
  int32_t blocks;        // blocks of 64 keys in total

  /// One past the last position that any row sees.
  MOA_HOST_DEVICE int32_t end() const { return position + rows; }
  /// Position of the first key of a block. Blocks past the last one start at or past end(), so a
  /// mask by position hides them.
  MOA_HOST_DEVICE int32_t block_position(int32_t block) const {
    return block < sink_blocks ? block * kKeyBlock
                               : window_start + (block - sink_blocks) * kKeyBlock;
  }
  /// Row in the source of the first key of a block.
  MOA_HOST_DEVICE int32_t block_row(int32_t block) const {
    return key_row + block_position(block) - (block < sink_blocks ? 0 : mask.gap);
  }
  /// How many keys of a block, counted from its first, may be seen by a row. The keys after them
  /// lie past the end of the sequence or belong to another one. They may be NaN, so they must not
  /// even be multiplied by a weight of zero.
  MOA_HOST_DEVICE int32_t block_keys(int32_t block) const {
    if (block >= blocks) return 0;
    const int32_t left = end() - block_position(block);
    return left < kKeyBlock ? left : kKeyBlock;
  }
  /// Whether each of the `count` rows from position `first` on sees every key of a block.
  MOA_HOST_DEVICE bool block_whole(int32_t block, int32_t first, int32_t count) const {
    const int32_t start = block_position(block), last = start + kKeyBlock - 1;
    return last <= first && (last < mask.sink || first + count - 1 - start < mask.window);
  }
};
static_assert(sizeof(PrefillItem) == 48);

/// Sets the blocks of an item whose mask, position and rows are already set.
MOA_HOST_DEVICE void set_blocks(PrefillItem& item) {
  const int32_t end = item.end(), sink = item.mask.sink;
  const int32_t sinks = sink < end ? sink : end;
  const int32_t edge = item.position - item.mask.window + 1;
  item.sink_blocks = (sinks + kKeyBlock - 1) / kKeyBlock;
  item.window_start = edge > sink ? edge : sink;
  const int32_t keys = end - item.window_start;
  item.blocks = item.sink_blocks + (keys > 0 ? (keys + kKeyBlock - 1) / kKeyBlock : 0);
}

/// How the keys of one segment and KV head are gathered into a source: the cached sinks, the cached
/// window, then the segment's own rows.
struct GatheredKeys {
  int64_t key_row;       // row of key 0 in the source
  int32_t sinks;         // cached keys [0, sinks) have positions [0, sinks)
  int32_t window_start;  // position of cached key `sinks`
  int32_t cached;        // cached keys in all
  int32_t row, rows;     // packed rows of the segment, which follow
  int32_t sequence, head;

  MOA_HOST_DEVICE int32_t keys() const { return cached + rows; }
  MOA_HOST_DEVICE int32_t position(int32_t key) const {
    return key < sinks ? key : window_start + key - sinks;
  }
};

/// Sets the cached keys of a sequence with `length` cached tokens. A cache that is no ring holds
/// all of them and is treated as having no sinks.
MOA_HOST_DEVICE void set_cached(GatheredKeys& keys, int32_t length, bool windowed, int32_t sink,
                                int32_t capacity) {
  keys.sinks = !windowed ? 0 : length < sink ? length : sink;
  keys.window_start =
      !windowed || length <= sink ? keys.sinks : oldest_window_position(length, sink, capacity);
  keys.cached = keys.sinks + length - keys.window_start;
}

}  // namespace moa::cuda
