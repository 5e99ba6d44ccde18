// Checks distance bins against their definition, over all small shapes.
#include "cuda/gradient/distance_bins.h"

#include <cstdio>
#include <vector>

namespace {

using namespace moa::cuda;

int failures = 0;

void expect(bool condition, const char* what, int a, int b, int c) {
  if (condition) return;
  ++failures;
  std::printf("Expected %s but it does not hold at (%d, %d, %d)\n", what, a, b, c);
}

/// Every key is visited once: sinks as sinks, the others as keys past the sinks.
void test_walk() {
  for (int sink = 0; sink <= 300; ++sink) {
    for (int tiles = 1; tiles <= 6; ++tiles) {
      const KeyWalk walk = key_walk(sink, tiles);
      std::vector<int> seen(static_cast<size_t>(tiles) * kBinTokens, 0);
      bool past_sinks = false;
      for (int v = 0; v < walk.visits; ++v) {
        const KeyVisit visit = key_visit(walk, v);
        expect(visit.tile < tiles && visit.begin < visit.end, "a tile with columns", sink, tiles,
               v);
        expect(!(visit.sinks && past_sinks), "sinks first", sink, tiles, v);
        past_sinks = !visit.sinks;
        for (int c = visit.begin; c < visit.end; ++c) {
          const int key = visit.tile * kBinTokens + c;
          expect((key < sink) == visit.sinks, "the kind of the key", sink, tiles, key);
          ++seen[static_cast<size_t>(key)];
        }
      }
      for (size_t key = 0; key < seen.size(); ++key) {
        expect(seen[key] == 1, "every key once", sink, tiles, static_cast<int>(key));
      }
    }
  }
}

/// Which bins mask at least one key of a row.
void test_masking_bins() {
  for (int sink = 0; sink <= 200; ++sink) {
    for (int row = 0; row <= 500; ++row) {
      bool masks_zero = false;
      for (int key = sink; key < row; ++key) masks_zero = true;
      expect(masks_at_bin_zero(row, sink) == masks_zero, "something masked at bin 0", sink, row, 0);
      for (int bin = 1; bin <= 8; ++bin) {
        bool masks = false;
        for (int key = sink; key <= row; ++key) masks = masks || row - key >= kBinTokens * bin;
        expect((bin <= last_masking_bin(row, sink)) == masks, "something masked", sink, row, bin);
      }
    }
  }
}

/// Checks the bin of each part of a warp's fragments against the bins of its elements.
void test_fragments() {
  for (int half = 0; half < 2; ++half) {
    for (int n_tile = 0; n_tile < 8; ++n_tile) {
      for (int row_tile = 0; row_tile < 2; ++row_tile) {
        // element = lane * 8 + upper * 4 + odd; the other values repeat these.
        for (int element = 0; element < 256; ++element) {
          const int lane = element / 8, upper = element / 4 % 2, odd = element % 2;
          const int g = lane / 4, t = lane % 4;
          const int r = 32 * half + 16 * row_tile + 8 * upper + g;
          const int c = fragment_first_key(n_tile, half) + 2 * t + odd;
          const int block = 5, tile = 3;
          const int bin = distance_bin(block * kBinTokens + r, tile * kBinTokens + c);
          const BinPart part = bin_part(n_tile, row_tile, upper);
          const bool own = part == BinPart::kRest   ? half == 1
                           : part == BinPart::kLane ? 2 * t + odd <= g
                                                    : part == BinPart::kOwn;
          expect(bin == (own ? block - tile : block - tile - 1), "the bin", half, n_tile, lane);
        }
      }
    }
  }
  for (int half = 0; half < 2; ++half) {
    std::vector<int> seen(8, 0);
    for (int n_tile = 0; n_tile < 8; ++n_tile) ++seen[fragment_first_key(n_tile, half) / 8];
    for (int i = 0; i < 8; ++i)
      expect(seen[static_cast<size_t>(i)] == 1, "every key once", half, i, 0);
  }
}

}  // namespace

int main() {
  test_walk();
  test_masking_bins();
  test_fragments();
  if (failures == 0) std::printf("distance_bins: ok\n");
  return failures == 0 ? 0 : 1;
}
