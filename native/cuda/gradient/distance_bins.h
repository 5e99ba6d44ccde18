#pragma once
// How the keys of a query row fall into distance bins. Host and device share this arithmetic, which
// is tested on the CPU (tests/distance_bins_test.cc). Rows and keys are numbered from the start of
// their segment. Blocks have 64 rows, tiles have 64 keys. Let d be the number of the block minus
// the number of the tile. The key at column c of the tile then has distance 64 d + r - c from row r
// of the block. If c <= r, the key is in bin d, the tile's own bin. If c > r, it is in bin d - 1,
// the nearer bin; for d = 0 it is masked.
#include <cstdint>

#include "moa/ring.h"

namespace moa::cuda {

constexpr int32_t kBinTokens = kBlockTokens;

MOA_HOST_DEVICE int32_t distance_bin(int32_t row, int32_t key) {
  return (row - key) / kBinTokens;
}

/// Whether bin 0 masks anything of a row: then only the sinks and the row's own key are kept.
MOA_HOST_DEVICE bool masks_at_bin_zero(int32_t row, int32_t sink) {
  return row > sink;
}

/// The last bin that masks something of a row; 0 if there is none. Bin b >= 1 masks the keys past
/// the sinks at distance 64 b or more.
MOA_HOST_DEVICE int32_t last_masking_bin(int32_t row, int32_t sink) {
  return row < sink ? 0 : (row - sink) / kBinTokens;
}

/// One visit of a block of rows to a tile of keys: columns [begin, end) of tile `tile`, which are
/// all sinks or all past the sinks.
struct KeyVisit {
  int32_t tile, begin, end;
  bool sinks;
};

/// The order of visits to a number of tiles: first those with sinks, then those with keys past the
/// sinks. A tile that has both is visited twice.
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
  const int32_t cut = walk.sink - tile * kBinTokens;  // columns below this are sinks
  if (sinks) return {tile, 0, cut < kBinTokens ? cut : kBinTokens, true};
  return {tile, cut > 0 ? cut : 0, kBinTokens, false};
}

// A warp of the tensor-core kernel has rows [32 half, 32 half + 32) of a block, as two row tiles of
// 16, against eight n-tiles of 8 keys. Warps with half = 1 take the keys in the order 32..63,
// 0..31. Then it is the same for both halves which of the first four n-tiles are in the own bin, in
// the nearer bin or in both, and the last four n-tiles are all in the nearer bin (half = 0) or all
// in the own bin (half = 1).

MOA_HOST_DEVICE constexpr int32_t fragment_first_key(int32_t n_tile, int32_t half) {
  return 8 * (n_tile ^ (half * 4));
}

enum class BinPart : uint8_t { kOwn, kNearer, kLane, kRest };

/// The bin of an n-tile for rows g (upper = 0) or g + 8 (upper = 1) of a row tile. kLane means that
/// lane (g, t) must compare: column 2t or 2t + 1 of the n-tile is in the own bin if it is <= g.
/// kRest stands for the last four n-tiles.
MOA_HOST_DEVICE constexpr BinPart bin_part(int32_t n_tile, int32_t row_tile, int32_t upper) {
  if (n_tile >= 4) return BinPart::kRest;
  const int32_t eighth = 2 * row_tile + upper;  // group of 8 rows within the 32
  if (n_tile == eighth) return BinPart::kLane;
  return n_tile < eighth ? BinPart::kOwn : BinPart::kNearer;
}

}  // namespace moa::cuda
