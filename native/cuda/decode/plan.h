#pragma once
// How the work of one decode step is divided over the device (stream-K; LeanAttention, arXiv
// 2405.10480, section 4). Host and device share this arithmetic, which is tested on the CPU.
//
// An item is one KV head of one row of the step. Items are ordered by row, then by KV head. The
// live slots of an item are cut into tiles of 64. The tiles of all items, one item after the other,
// are cut into as many equal ranges as there are CTAs. So every CTA reads the same number of bytes,
// even when heads have very different spans. A CTA whose range starts or ends within an item writes
// a partial softmax; the CTA of this item that arrives last merges all its partials, in the order
// of the CTAs.
#include <algorithm>
#include <cstdint>

#include "cuda/cache/tile.h"

namespace moa::cuda {

/// Query heads that a CTA computes together: the n of mma.m16n8k16. A group with more heads has
/// several blocks of heads, and each of them reads the item.
constexpr int32_t kDecodeHeads = 8;

/// Most partials that are merged in one level. An item with more CTAs is merged in two levels,
/// because one CTA reads partials at only about 100 GB/s, and 264 partials at D = 128 are a
/// megabyte.
constexpr int32_t kMergeGroup = 16;
constexpr int32_t kMaxDecodeCtas = 1024;
constexpr int32_t kMaxMerge = kMaxDecodeCtas / kMergeGroup;  // most partials of the second level
static_assert(kMaxMerge >= kMergeGroup);

/// Least bytes that are worth a CTA of their own. An SM needs about 24 KB of loads in flight (4.5
/// TB/s * 0.7 us / 132), and a merge takes 1 to 2 us, in which the SM could read about as much as
/// this.
constexpr int64_t kMinCtaBytes = 64 * 1024;

/// Slots that the query of the step sees once its own token, at position `length`, has been
/// appended. `capacity` counts only for a ring: a dynamic cache grows after the plan is made, when
/// the step reaches the layer.
MOA_HOST_DEVICE int32_t decode_slots(int32_t length, int32_t capacity, bool windowed) {
  return windowed ? live_slots(length + 1, capacity) : length + 1;
}
MOA_HOST_DEVICE int32_t tiles_of(int32_t slots) {
  return (slots + kTileTokens - 1) / kTileTokens;
}
MOA_HOST_DEVICE int32_t min_tiles_per_cta(int32_t row_bytes) {
  const int64_t tiles = kMinCtaBytes / (2 * kTileTokens * static_cast<int64_t>(row_bytes));
  return tiles < 1 ? 1 : static_cast<int32_t>(tiles);
}

/// How many of the `grid` CTAs that are launched get tiles.
MOA_HOST_DEVICE int32_t cta_count(int32_t tiles, int32_t grid, int32_t min_tiles) {
  const int32_t wanted = (tiles + min_tiles - 1) / min_tiles;
  return wanted < grid ? wanted : grid;
}
/// CTA i takes tiles [cta_first_tile(i), cta_first_tile(i + 1)).
MOA_HOST_DEVICE int32_t cta_first_tile(int32_t cta, int32_t tiles, int32_t ctas) {
  return static_cast<int32_t>(static_cast<int64_t>(tiles) * cta / ctas);
}
/// The number of CTAs whose first tile is before `tile`: the inverse of cta_first_tile.
MOA_HOST_DEVICE int32_t ctas_before(int32_t tile, int32_t tiles, int32_t ctas) {
  return static_cast<int32_t>((static_cast<int64_t>(tile) * ctas + tiles - 1) / tiles);
}

/// CTAs [first, last] that share an item.
struct alignas(8) CtaRange {
  int32_t first, last;
};
MOA_HOST_DEVICE CtaRange ctas_of_item(int32_t first_tile, int32_t end_tile, int32_t tiles,
                                      int32_t ctas) {
  return {ctas_before(first_tile + 1, tiles, ctas) - 1, ctas_before(end_tile, tiles, ctas) - 1};
}

/// The slot of a CTA's partial of an item. A CTA has at most two partials: one of an item that an
/// earlier CTA started, and one of an item that it starts itself (cta == first_cta) and that the
/// next CTA continues.
MOA_HOST_DEVICE int32_t partial_slot(int32_t cta, int32_t first_cta) {
  return 2 * cta + (cta == first_cta ? 1 : 0);
}

/// The first level of a merge. The partials of CTAs [leader, leader + count) are merged into the
/// slot of the leader. An item has `groups` such groups, with leaders item.first, item.first +
/// kMergeGroup, ...
struct MergeGroup {
  int32_t leader, count, groups;
};
MOA_HOST_DEVICE MergeGroup merge_group(int32_t cta, CtaRange item) {
  const int32_t leader = item.first + (cta - item.first) / kMergeGroup * kMergeGroup;
  const int32_t left = item.last - leader + 1;
  return {leader, left < kMergeGroup ? left : kMergeGroup,
          (item.last - item.first) / kMergeGroup + 1};
}

// The plan in device memory, one per layer.

struct alignas(16) PlanHeader {
  int32_t ctas, tiles, items, unused;
};
struct alignas(16) PlanItem {
  int32_t first_tile, slots, sequence, row;
};
/// The first tile of a CTA, the item that contains this tile, and the first tile of that item.
struct alignas(16) PlanCta {
  int32_t first_tile, first_item, item_first_tile, unused;
};

/// The order in which a CTA takes its tiles [begin, end). If its last item continues in the next
/// CTA, the tiles of that item (the tail) come first; then come tiles [begin, body_end). So the
/// partial of the tail is written early, and the merges of split items overlap with other work
/// instead of coming at the end of the launch.
struct CtaWork {
  int32_t begin, body_end, end;
  int32_t first_item, tail_item;
  bool has_tail;
};
MOA_HOST_DEVICE CtaWork cta_work(const PlanCta& start, const PlanCta& next) {
  const bool has_tail =
      next.item_first_tile < next.first_tile && next.first_item != start.first_item;
  return {start.first_tile, has_tail ? next.item_first_tile : next.first_tile,
          next.first_tile,  start.first_item,
          next.first_item,  has_tail};
}

struct PlanView {
  PlanHeader* header;
  PlanItem* items;   // [items]
  PlanCta* ctas;     // [ctas + 1]; the last entry is the end of all tiles
  CtaRange* shared;  // [items] the CTAs of each item
};

/// Where the parts of a plan lie. The sizes are those for `items` of all sequences and `grid` CTAs,
/// so they do not depend on the step.
struct PlanLayout {
  int64_t items = 0;
  int32_t grid = 0;

  MOA_HOST_DEVICE int64_t ctas_offset() const {
    return static_cast<int64_t>(sizeof(PlanHeader)) +
           items * static_cast<int64_t>(sizeof(PlanItem));
  }
  MOA_HOST_DEVICE int64_t shared_offset() const {
    return ctas_offset() + (grid + 1) * static_cast<int64_t>(sizeof(PlanCta));
  }
  /// Whole lines of L2, so that no two layers share a line.
  MOA_HOST_DEVICE int64_t layer_bytes() const {
    return (shared_offset() + items * static_cast<int64_t>(sizeof(CtaRange)) + 127) / 128 * 128;
  }
  MOA_HOST_DEVICE PlanView view(void* plan, int32_t layer) const {
    char* base = static_cast<char*>(plan) + layer * layer_bytes();
    return {reinterpret_cast<PlanHeader*>(base),
            reinterpret_cast<PlanItem*>(base + sizeof(PlanHeader)),
            reinterpret_cast<PlanCta*>(base + ctas_offset()),
            reinterpret_cast<CtaRange*>(base + shared_offset())};
  }
};

/// The last item that starts at or before `tile`; first_tile(i) increases with i.
template <class FirstTile>
MOA_HOST_DEVICE int32_t item_at(int32_t tile, int32_t items, FirstTile first_tile) {
  int32_t low = 0, high = items;  // first_tile(low) <= tile, first_tile(high) > tile
  while (high - low > 1) {
    const int32_t middle = low + (high - low) / 2;
    if (first_tile(middle) <= tile) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

// Shared memory. It decides how many CTAs fit an SM, and so the grid.

constexpr int32_t kConsumerWarps = 4;  // of attention_decode_mma: each takes 16 tokens of a tile
constexpr int32_t kMaxStages = 8;
constexpr int32_t kMergePadding = 4;  // floats between rows of values: avoids bank conflicts

struct SharedLimits {
  int64_t per_multiprocessor = 0, per_cta = 0, reserved_per_cta = 0;  // bytes
};
struct DecodeLaunch {
  int32_t ctas_per_multiprocessor = 0, stages = 0;
  int64_t shared_bytes = 0;
};

/// Shared memory of attention_decode_mma besides its stages: values, maxima and sums of the warps,
/// the barriers of the stages and a flag.
constexpr int64_t decode_mma_merge_floats(int32_t head_dim) {
  return kConsumerWarps * kDecodeHeads * (head_dim + kMergePadding);
}
constexpr int64_t decode_mma_fixed_bytes(int32_t head_dim) {
  return 4 * (decode_mma_merge_floats(head_dim) + 2 * kConsumerWarps * kDecodeHeads) +
         2 * 8 * kMaxStages + 16;
}
/// CTAs of attention_decode_mma on one SM. Smaller heads have less work per tile and barrier, so
/// they need more warps.
constexpr int32_t decode_mma_ctas(int32_t head_dim) {
  return head_dim <= 64 ? 3 : head_dim <= 128 ? 2 : 1;
}
/// As many stages as fit. Where only one would fit, fewer CTAs share the SM.
inline DecodeLaunch decode_mma_launch(int32_t head_dim, const SharedLimits& limits) {
  const int64_t tile = 2 * kTileTokens * 2 * head_dim, fixed = decode_mma_fixed_bytes(head_dim);
  DecodeLaunch launch;
  launch.ctas_per_multiprocessor = decode_mma_ctas(head_dim);
  for (;; --launch.ctas_per_multiprocessor) {
    const int64_t share =
        limits.per_multiprocessor / launch.ctas_per_multiprocessor - limits.reserved_per_cta;
    const int64_t stages = (std::min(share, limits.per_cta) - fixed) / tile;
    launch.stages = static_cast<int32_t>(std::min<int64_t>(stages, kMaxStages));
    if (launch.stages >= 2 || launch.ctas_per_multiprocessor == 1) break;
  }
  launch.shared_bytes = fixed + launch.stages * tile;
  return launch;
}

constexpr int32_t kSimtCtas = 3;   // most CTAs of attention_decode_simt on an SM, by registers
constexpr int32_t kSimtRows = 16;  // heads whose weights its threads read; not all exist

/// Floats that attention_decode_simt keeps for one tile: its keys or its values, in padded rows.
/// The same memory later holds the states of partials that are merged.
MOA_HOST_DEVICE int32_t decode_simt_tile_floats(int32_t head_dim) {
  const int32_t tile = kTileTokens * (head_dim + kMergePadding);
  return tile < kMaxMerge * 2 * kDecodeHeads ? kMaxMerge * 2 * kDecodeHeads : tile;
}
inline DecodeLaunch decode_simt_launch(int32_t head_dim, const SharedLimits& limits) {
  DecodeLaunch launch;
  launch.shared_bytes = 4 * (decode_simt_tile_floats(head_dim) + kDecodeHeads * (head_dim + 2) +
                             kSimtRows * (kTileTokens + 1) + 4);
  const int64_t fit = limits.per_multiprocessor / (launch.shared_bytes + limits.reserved_per_cta);
  launch.ctas_per_multiprocessor = static_cast<int32_t>(std::clamp<int64_t>(fit, 1, kSimtCtas));
  return launch;
}

// The most CTAs of either kernel on one SM.
constexpr int32_t kMostCtas = std::max(decode_mma_ctas(0), kSimtCtas);

/// CTAs that attention_decode launches over a cache. The number is the same for both kernels,
/// because the plan does not know which of them will run.
inline int32_t decode_grid(DType dtype, int32_t head_dim, const SharedLimits& limits,
                           int32_t multiprocessors) {
  const DecodeLaunch launch = cache_swizzled(dtype, head_dim)
                                  ? decode_mma_launch(head_dim, limits)
                                  : decode_simt_launch(head_dim, limits);
  return std::min(kMaxDecodeCtas, launch.ctas_per_multiprocessor * multiprocessors);
}

}  // namespace moa::cuda
