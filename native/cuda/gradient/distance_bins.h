#pragma once
// How the keys of a query row fall into distance bins: host and device arithmetic, tested on the
// CPU (tests/distance_bins_test.cc). Rows and keys are numbered from the start of their segment.
// Blocks of 64 rows meet tiles of 64 keys: with d the block's number minus the tile's, the key at
// column c of the tile has distance 64 d + r - c from the row at r of the block, so that it lies in
// the tile's own bin d where c <= r, and in the nearer bin d - 1 where c > r (masked when d = 0).
#include <cstdint>

#include "moa/ring.h"

namespace moa::cuda {

constexpr int32_t kBinTokens = kBlockTokens;

MOA_HOST_DEVICE int32_t distance_bin(int32_t row, int32_t key) {
  return (row - key) / kBinTokens;
}

/// Whether keeping the sinks and the row's own key alone masks anything.
MOA_HOST_DEVICE bool masks_at_bin_zero(int32_t row, int32_t sink) {
  return row > sink;
}

/// Bins b in [1, this] mask something of the row: keys past the sinks at distance 64 b or more.
MOA_HOST_DEVICE int32_t last_masking_bin(int32_t row, int32_t sink) {
  return row < sink ? 0 : (row - sink) / kBinTokens;
}

/// A tile of keys in the walk of a block of rows: columns [begin, end) of tile `tile`, all sinks or
/// all past them.
struct KeyVisit {
  int32_t tile, begin, end;
  bool sinks;
};

/// The walk over the first `tiles` tiles: those with sinks, then those with keys past them; a tile
/// that has both comes twice.
struct KeyWalk {
  int32_t sink, sink_visits, visits;
};

MOA_HOST_DEVICE KeyWalk key_walk(int32_t sink, int32_t tiles) {
  const int32_t first = sink / kBinTokens, with_sinks = first + (sink % kBinTokens != 0 ? 1 : 0);
  const int32_t sink_visits = with_sinks < tiles ? with_sinks : tiles;
  return {sink, sink_visits, sink_visits + (tiles > first ? tiles - first : 0)};
}

MOA_HOST_DEVICE KeyVisit key_visit(const KeyWalk& walk, int32_t visit) {
  const bool sinks = visit < walk.sink_visits;
  const int32_t tile = sinks ? visit : visit - walk.sink_visits + walk.sink / kBinTokens;
  const int32_t cut = walk.sink - tile * kBinTokens;  // columns below it are sinks
  if (sinks) return {tile, 0, cut < kBinTokens ? cut : kBinTokens, true};
  return {tile, cut > 0 ? cut : 0, kBinTokens, false};
}

// A warp of the tensor-core kernel has rows [32 half, 32 half + 32) of a block, as two row tiles of
// 16, against eight n-tiles of 8 keys. Warps with half = 1 take the keys in the order 32..63,
// 0..31: then own, nearer and mixed n-tiles of the first four are the same for both halves, and all
// of the last four are nearer (half = 0) or own (half = 1).

MOA_HOST_DEVICE constexpr int32_t fragment_first_key(int32_t n_tile, int32_t half) {
  return 8 * (n_tile ^ (half * 4));
}

enum class BinPart : uint8_t { kOwn, kNearer, kLane, kRest };

/// Of rows g (upper = 0) or g + 8 (upper = 1) of a row tile and an n-tile: kLane where lane (g, t)
/// has to compare, column 2t or 2t + 1 of the n-tile being in the own bin where it is <= g; kRest
/// for the last four n-tiles.
MOA_HOST_DEVICE constexpr BinPart bin_part(int32_t n_tile, int32_t row_tile, int32_t upper) {
  if (n_tile >= 4) return BinPart::kRest;
  const int32_t eighth = 2 * row_tile + upper;  // of the 32 rows
  if (n_tile == eighth) return BinPart::kLane;
  return n_tile < eighth ? BinPart::kOwn : BinPart::kNearer;
}

}  // namespace moa::cuda
