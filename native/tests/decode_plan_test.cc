// Property tests, over random shapes, of the arithmetic of the decode plan: cuda/decode/plan.h,
// cuda/decode/softmax_state.h, cuda/cache/tile.h, moa/ring.h. The first failure is printed with the
// seed that shows it, and the program returns 1.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <set>
#include <vector>

#include "cuda/cache/tile.h"
#include "cuda/decode/plan.h"
#include "cuda/decode/softmax_state.h"

using namespace moa;
using namespace moa::cuda;

namespace {

constexpr uint32_t kSeeds = 300;
uint32_t current_seed = 0;

#define EXPECT(condition)                                                                    \
  do {                                                                                       \
    if (!(condition)) {                                                                      \
      std::printf("seed %u: %s does not hold (%s:%d)\n", current_seed, #condition, __FILE__, \
                  __LINE__);                                                                 \
      std::exit(1);                                                                          \
    }                                                                                        \
  } while (false)

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  /// Uniform in [low, high].
  int32_t integer(int32_t low, int32_t high) {
    return std::uniform_int_distribution<int32_t>(low, high)(engine_);
  }
  float normal() { return std::normal_distribution<float>()(engine_); }
  template <class T, size_t n>
  T one_of(const T (&values)[n]) {
    return values[integer(0, n - 1)];
  }

 private:
  std::mt19937 engine_;
};

/// The live slots of each item. They are mostly skewed; sometimes one item is long.
std::vector<int32_t> random_items(Random& random) {
  std::vector<int32_t> slots(static_cast<size_t>(random.integer(1, 200)));
  const int32_t limits[] = {1, 64, 65, 128, 1000, 40000};
  const int32_t limit = random.one_of(limits);
  for (int32_t& n : slots) n = random.integer(1, random.integer(1, limit));
  return slots;
}

/// Every tile belongs to one CTA, and all CTAs have equal shares. The CTAs of an item are those
/// that ctas_of_item gives. No two partials share a slot. The first item of a CTA is the one that
/// contains its first tile.
void check_partition(Random& random) {
  const std::vector<int32_t> slots = random_items(random);
  const auto items = static_cast<int32_t>(slots.size());
  std::vector<int32_t> first_tile(slots.size() + 1, 0);
  for (size_t i = 0; i < slots.size(); ++i) first_tile[i + 1] = first_tile[i] + tiles_of(slots[i]);
  const int32_t tiles = first_tile.back(), grid = random.integer(1, kMaxDecodeCtas);
  const int32_t row_bytes[] = {16, 64, 128, 256, 512, 1024};
  const int32_t min_tiles = min_tiles_per_cta(random.one_of(row_bytes));
  const int32_t ctas = cta_count(tiles, grid, min_tiles);
  EXPECT(ctas >= 1 && ctas <= grid && ctas <= tiles);
  EXPECT(ctas == grid || tiles <= ctas * min_tiles);
  EXPECT(cta_first_tile(0, tiles, ctas) == 0 && cta_first_tile(ctas, tiles, ctas) == tiles);
  std::vector<std::vector<int32_t>> ctas_of(slots.size());
  std::set<int32_t> partials;
  const auto plan_cta = [&](int32_t cta) {
    const int32_t start = cta_first_tile(cta, tiles, ctas);
    const int32_t item =
        cta == ctas ? items : item_at(start, items, [&](int32_t i) { return first_tile[i]; });
    return PlanCta{start, item, first_tile[item], 0};
  };
  for (int32_t cta = 0; cta < ctas; ++cta) {
    const CtaWork work = cta_work(plan_cta(cta), plan_cta(cta + 1));
    const int32_t begin = work.begin, end = work.end;
    EXPECT(begin == cta_first_tile(cta, tiles, ctas) &&
           end == cta_first_tile(cta + 1, tiles, ctas));
    EXPECT(begin < work.body_end && (work.body_end < end) == work.has_tail);
    if (work.has_tail) {
      EXPECT(work.body_end == first_tile[work.tail_item] && end < first_tile[work.tail_item + 1]);
      EXPECT(work.tail_item > work.first_item);
    }
    EXPECT(end - begin >= tiles / ctas && end - begin <= (tiles + ctas - 1) / ctas);
    int32_t item = item_at(begin, items, [&](int32_t i) { return first_tile[i]; });
    EXPECT(first_tile[item] <= begin && begin < first_tile[item + 1]);
    for (; item < items && first_tile[item] < end; ++item) {
      ctas_of[item].push_back(cta);
      const CtaRange range = ctas_of_item(first_tile[item], first_tile[item + 1], tiles, ctas);
      const bool whole = first_tile[item] >= begin && first_tile[item + 1] <= end;
      EXPECT(whole == (range.first == range.last));
      if (!whole) EXPECT(partials.insert(partial_slot(cta, range.first)).second);
    }
  }
  EXPECT(partials.empty() || *partials.rbegin() < 2 * ctas);
  for (int32_t item = 0; item < items; ++item) {
    const CtaRange range = ctas_of_item(first_tile[item], first_tile[item + 1], tiles, ctas);
    EXPECT(range.first == ctas_of[item].front() && range.last == ctas_of[item].back());
    EXPECT(range.last - range.first + 1 == static_cast<int32_t>(ctas_of[item].size()));
    EXPECT(first_tile[item] >= cta_first_tile(range.first, tiles, ctas));
  }
}

/// The merge groups of an item contain each of its CTAs once, and their results fit into one final
/// merge.
void check_merge_groups(Random& random) {
  const int32_t first = random.integer(0, kMaxDecodeCtas - 1);
  const CtaRange item{first, random.integer(first, kMaxDecodeCtas - 1)};
  std::vector<int32_t> members(kMaxDecodeCtas, 0);
  std::set<int32_t> leaders;
  for (int32_t cta = item.first; cta <= item.last; ++cta) {
    const MergeGroup group = merge_group(cta, item);
    EXPECT(group.leader <= cta && cta < group.leader + group.count);
    EXPECT(group.count <= kMergeGroup && group.leader + group.count - 1 <= item.last);
    EXPECT(group.groups <= kMaxMerge);
    leaders.insert(group.leader);
    if (cta == group.leader) {
      for (int32_t i = 0; i < group.count; ++i) ++members[group.leader + i];
    }
  }
  for (int32_t cta = 0; cta < kMaxDecodeCtas; ++cta)
    EXPECT(members[cta] == (cta >= item.first && cta <= item.last ? 1 : 0));
  EXPECT(static_cast<int32_t>(leaders.size()) == merge_group(item.first, item).groups);
  int32_t expected = item.first;
  for (const int32_t leader : leaders) {
    EXPECT(leader == expected);
    expected += kMergeGroup;
  }
}

struct Key {
  float score;
  Quad value;
};

SoftmaxPart part_of(const std::vector<Key>& keys, size_t first, size_t end) {
  SoftmaxPart part{kEmptyMaximum, 0.0f, {}};
  for (size_t i = first; i < end; ++i) part.maximum = std::fmax(part.maximum, keys[i].score);
  for (size_t i = first; i < end; ++i) {
    const float weight = std::exp2(keys[i].score - part.maximum);
    part.sum += weight;
    for (int k = 0; k < kQuad; ++k) part.values.v[k] += weight * keys[i].value.v[k];
  }
  return part;
}

SoftmaxPart merge_all(const std::vector<SoftmaxPart>& parts) {
  return merge_softmax(
      static_cast<int32_t>(parts.size()), [&](int32_t i) { return parts[i].maximum; },
      [&](int32_t i) { return parts[i].sum; }, [&](int32_t i) { return parts[i].values; });
}

/// Attention that is cut anywhere (also into empty parts) and merged in any grouping equals
/// attention over all keys at once. A NaN in a part reaches the result.
void check_merging(Random& random) {
  std::vector<Key> keys(static_cast<size_t>(random.integer(1, 500)));
  const auto deviation = static_cast<float>(random.integer(0, 60));
  for (Key& key : keys) {
    key.score = deviation * random.normal();
    for (float& v : key.value.v) v = random.normal();
  }
  std::vector<size_t> cuts{0, keys.size()};
  for (int32_t i = random.integer(0, 40); i > 0; --i)
    cuts.push_back(static_cast<size_t>(random.integer(0, static_cast<int32_t>(keys.size()))));
  std::sort(cuts.begin(), cuts.end());
  std::vector<SoftmaxPart> parts;
  for (size_t i = 0; i + 1 < cuts.size(); ++i) parts.push_back(part_of(keys, cuts[i], cuts[i + 1]));
  while (parts.size() > 1) {  // runs of random length are merged until one part is left
    std::vector<SoftmaxPart> merged;
    for (size_t i = 0; i < parts.size();) {
      const size_t end = std::min(parts.size(), i + static_cast<size_t>(random.integer(1, 5)));
      merged.push_back(merge_all(
          {parts.begin() + static_cast<long>(i), parts.begin() + static_cast<long>(end)}));
      i = end;
    }
    parts = merged;
  }
  const SoftmaxPart whole = part_of(keys, 0, keys.size());
  EXPECT(parts[0].maximum == whole.maximum);
  for (int k = 0; k < kQuad; ++k) {
    const float want = whole.values.v[k] / whole.sum, got = parts[0].values.v[k] / parts[0].sum;
    EXPECT(std::fabs(got - want) < 1e-5f);  // float32 sums of 500 terms of size 1 in another order
  }
  SoftmaxPart spoiled = whole;
  spoiled.values.v[1] = NAN;
  const SoftmaxPart mixed = merge_all({whole, spoiled, SoftmaxPart{kEmptyMaximum, 0.0f, {}}});
  EXPECT(std::isnan(mixed.values.v[1]) && !std::isnan(mixed.values.v[0]) && !std::isnan(mixed.sum));
  spoiled.sum = NAN;
  EXPECT(std::isnan(merge_all({spoiled, whole}).sum));
}

/// After appends in chunks of any size, the slots that the plan makes a query read hold exactly the
/// tokens that the mask lets it see: j < sink or t - j < window.
void check_ring(Random& random) {
  const int32_t sink = kBlockTokens * random.integer(0, 2);
  const int32_t capacity = sink + kBlockTokens * random.integer(1, 5), window = capacity - sink;
  std::vector<int32_t> slots(static_cast<size_t>(capacity), -1);
  int32_t length = 0;
  for (int32_t step = random.integer(1, 12); step > 0; --step) {
    // A chunk writes only the newest token of each slot; then its last token attends.
    const int32_t count = random.integer(1, random.integer(0, 3) == 0 ? 2 * capacity : 3);
    const int32_t end = length + count;
    for (int32_t t = length; t < end; ++t) {
      if (t >= sink && t < end - window) continue;
      slots[static_cast<size_t>(ring_slot(t, sink, capacity))] = t;
    }
    length = end;
    const int32_t position = length - 1, live = decode_slots(position, capacity, true);
    std::set<int32_t> seen;
    for (int32_t slot = 0; slot < live; ++slot) {
      const int32_t token = slots[static_cast<size_t>(slot)];
      EXPECT(token >= 0 && token <= position);
      EXPECT(token < sink || position - token < window);
      EXPECT(seen.insert(token).second);
    }
    EXPECT(static_cast<int32_t>(seen.size()) == std::min(position + 1, capacity));
    EXPECT(decode_slots(position, 1, false) == length);
  }
}

/// The elements of keys and values fill the bytes of a head exactly once. The same chunk of eight
/// consecutive rows lies in eight different groups of four banks.
void check_layout(Random& random) {
  const DType dtypes[] = {DType::kF32, DType::kF16, DType::kBF16};
  const DType dtype = random.one_of(dtypes);
  const int32_t swizzled_dims[] = {32, 64, 96, 128, 256};
  const int32_t head_dim =
      random.integer(0, 1) == 0 ? random.one_of(swizzled_dims) : 8 * random.integer(1, 32);
  const int32_t capacity = random.integer(1, 200), size = dtype == DType::kF32 ? 4 : 2;
  const int32_t row_bytes = head_dim * size;
  std::vector<int> hits(static_cast<size_t>(2 * capacity) * head_dim, 0);
  for (int32_t slot = 0; slot < capacity; ++slot) {
    for (int32_t element = 0; element < head_dim; ++element) {
      for (const bool value : {false, true}) {
        const int64_t at = element_offset(slot, value, capacity, head_dim, element, dtype);
        EXPECT(at % size == 0 && at >= 0 && at / size < static_cast<int64_t>(hits.size()));
        ++hits[static_cast<size_t>(at / size)];
      }
    }
  }
  for (const int n : hits) EXPECT(n == 1);
  if (!cache_swizzled(dtype, head_dim)) return;
  const int32_t chunks = row_bytes / kChunkBytes;
  for (int32_t first = 0; first < kTileTokens; first += 8) {
    for (int32_t chunk = 0; chunk < chunks; ++chunk) {
      std::set<int32_t> banks;
      for (int32_t row = first; row < first + 8; ++row) {
        const int32_t at = row * row_bytes + swizzled_chunk(chunk, row, chunks) * kChunkBytes;
        banks.insert(at / kChunkBytes % 8);
      }
      EXPECT(banks.size() == 8);
    }
  }
}

/// As many CTAs fit an SM as the grid assumes, and together they keep 64 KB of loads in flight
/// where there is room.
void check_launches() {
  const SharedLimits hopper{228 * 1024, 227 * 1024, 1024}, a100{164 * 1024, 163 * 1024, 1024};
  const SharedLimits ada{100 * 1024, 99 * 1024, 1024};
  for (const SharedLimits& limits : {hopper, a100, ada}) {
    for (const int32_t head_dim : {32, 64, 96, 128, 256}) {
      const DecodeLaunch launch = decode_mma_launch(head_dim, limits);
      EXPECT(launch.stages >= 1 && launch.stages <= kMaxStages &&
             launch.ctas_per_multiprocessor >= 1);
      EXPECT(launch.shared_bytes <= limits.per_cta && launch.shared_bytes % 16 == 0);
      EXPECT((launch.shared_bytes + limits.reserved_per_cta) * launch.ctas_per_multiprocessor <=
             limits.per_multiprocessor);
      const int64_t stages = launch.shared_bytes - decode_mma_fixed_bytes(head_dim);
      EXPECT(stages == launch.stages * int64_t{2 * kTileTokens * 2} * head_dim);
      if (limits.per_cta > 100 * 1024) EXPECT(stages * launch.ctas_per_multiprocessor >= 64 * 1024);
      EXPECT(decode_mma_merge_floats(head_dim) >= kMaxMerge * 2 * kDecodeHeads);
    }
    for (int32_t head_dim = 8; head_dim <= 256; head_dim += 8) {
      const DecodeLaunch launch = decode_simt_launch(head_dim, limits);
      EXPECT(launch.ctas_per_multiprocessor >= 1 && launch.shared_bytes <= limits.per_cta);
      EXPECT((launch.shared_bytes + limits.reserved_per_cta) * launch.ctas_per_multiprocessor <=
             limits.per_multiprocessor);
    }
  }
  const DecodeLaunch hopper_128 = decode_mma_launch(128, hopper);
  EXPECT(hopper_128.ctas_per_multiprocessor == 2 && hopper_128.stages == 3);
}

}  // namespace

int main() {
  check_launches();
  for (current_seed = 1; current_seed <= kSeeds; ++current_seed) {
    Random random(current_seed);
    check_partition(random);
    check_merge_groups(random);
    check_merging(random);
    check_ring(random);
    check_layout(random);
  }
  std::printf("decode plan: %u seeds ok\n", kSeeds);
  return 0;
}
