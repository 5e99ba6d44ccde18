// Checks the blocks that prefill attention visits against the mask itself. Every visible pair lies
// in exactly one visited block. No visited block is completely masked. Blocks flagged as whole have
// no masked pair. No row sees a key past block_keys(). A gathered source holds every visible key.
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "cuda/prefill/blocks.h"

namespace {

using moa::cuda::GatheredKeys;
using moa::cuda::kKeyBlock;
using moa::cuda::kUnlimitedWindow;
using moa::cuda::PrefillItem;
using moa::cuda::PrefillMask;

struct Shape {
  int32_t sink, window, length, rows;  // window 0 means causal; `length` tokens are cached before
};

int failures = 0;

void expect(bool holds, const char* what, const Shape& s, const PrefillItem& item, int32_t block) {
  if (holds) return;
  ++failures;
  std::fprintf(stderr, "%s: sink %d window %d length %d rows %d, block at %d + %d, key block %d\n",
               what, s.sink, s.window, s.length, s.rows, item.position, item.rows, block);
}

/// Visits `step` blocks of 64 keys at a time, like a kernel with blocks of 64 * step keys.
void check_item(const Shape& s, const PrefillItem& item, const std::vector<int32_t>& source,
                int32_t step) {
  std::vector<int32_t> visits(static_cast<size_t>(item.end()), 0);
  const int32_t visited = (item.blocks + step - 1) / step * step;
  for (int32_t block = 0; block < visited; ++block) {
    const int32_t start = item.block_position(block), keys = item.block_keys(block);
    bool any = false, all = true;
    for (int32_t j = 0; j < kKeyBlock; ++j) {
      for (int32_t i = item.position; i < item.end(); ++i) {
        const bool seen = item.mask.sees(i, start + j);
        any |= seen, all &= seen;
        expect(!seen || j < keys, "a visible key past block_keys", s, item, block);
      }
      if (j >= keys) continue;
      ++visits[static_cast<size_t>(start + j)];
      const auto row = static_cast<size_t>(item.block_row(block) - item.key_row + j);
      expect(row < source.size() && source[row] == start + j, "source position", s, item, block);
    }
    expect(any == (block < item.blocks), "a block without visible pairs", s, item, block);
    expect(item.block_whole(block, item.position, item.rows) == all, "block_whole", s, item, block);
  }
  for (int32_t j = 0; j < item.end(); ++j) {
    bool any = false;
    for (int32_t i = item.position; i < item.end(); ++i) any |= item.mask.sees(i, j);
    const int32_t count = visits[static_cast<size_t>(j)];
    expect(any ? count == 1 : count <= 1, "visits of a key", s, item, -1);
  }
}

void check_shape(const Shape& s, int32_t block_rows) {
  const bool windowed = s.window > 0;
  GatheredKeys gathered{};
  gathered.rows = s.rows;
  moa::cuda::set_cached(gathered, s.length, windowed, s.sink, s.sink + s.window);
  std::vector<int32_t> source;
  for (int32_t key = 0; key < gathered.cached; ++key) source.push_back(gathered.position(key));
  for (int32_t row = 0; row < s.rows; ++row) source.push_back(s.length + row);

  PrefillItem item{};
  if (windowed) {
    item.mask = PrefillMask{s.sink, s.window, gathered.window_start - gathered.sinks};
  }
  item.key_row = 1000;
  for (int32_t row = 0; row < s.rows; row += block_rows) {
    item.position = s.length + row;
    item.rows = s.rows - row < block_rows ? s.rows - row : block_rows;
    moa::cuda::set_blocks(item);
    check_item(s, item, source, 1);
    check_item(s, item, source, 2);
  }
}

}  // namespace

int main() {
  std::mt19937 random(7);
  const auto below = [&](int32_t n) {
    return static_cast<int32_t>(random() % static_cast<uint32_t>(n));
  };
  for (int round = 0; round < 3000; ++round) {
    Shape s{};
    s.sink = 64 * below(4);
    // Caches have capacities that are multiples of 64, but the arithmetic must hold for other
    // windows too.
    s.window = round % 4 == 0 ? 0 : round % 4 == 1 ? 1 + below(400) : 64 * (1 + below(6));
    if (s.window == 0) s.sink = 0;
    s.length = below(3) == 0 ? 0 : below(700);
    s.rows = 1 + below(400);
    const int32_t block_rows = 64 * (1 + round % 3);
    check_shape(s, block_rows);
  }
  if (failures == 0) std::puts("prefill_blocks: ok");
  return failures == 0 ? 0 : 1;
}
