// Attention influence by distance; the formulas are in src/native/backend.ts. Query rows lie across
// lanes. Key tiles have the 64 keys of one bin and are counted backwards from the last row of the
// group. In tile t, all keys but the nearest kGroupRows - 1 (the wedge) are in distance bin t for
// every row; a key of the wedge is in bin t or t - 1, depending on the row. Per row only sums by
// bin are kept, so memory is O(N).
#include <algorithm>
#include <cmath>
#include <vector>

#include "cpu/attention_rows.h"
#include "cpu/cpu_ops.h"
#include "cpu/influence_rows.h"

namespace moa::cpu {
namespace {

static_assert(kBinKeys == kTileKeys && kGroupRows <= kBinKeys, "a tile spans two bins at most");
// Blocks of rows of one head. Each has its own sums, so their number must be bounded to keep the
// memory at O(N).
constexpr int64_t kItemsPerHead = 16;

/// Sums over the keys of one bin, per row, without dominant keys (influence_rows.h).
struct BinSums {
  Vec weights[kRowVecs] = {};    // A
  Vec gradients[kRowVecs] = {};  // A G
  Vec effects[kRowVecs] = {};    // |E|
};

struct Inputs {
  const InfluenceParams& params;
  PackedHeads of_keys;
  float *k, *v;  // packed by of_keys
  int depth, padded_depth, group;
  int64_t bins;

  explicit Inputs(const InfluenceParams& p)
      : params(p),
        of_keys(p.segments, p.k.shape[1], p.k.shape[2]),
        depth(static_cast<int>(p.q.shape[2])),
        padded_depth(static_cast<int>(of_keys.padded_depth())),
        group(static_cast<int>(p.q.shape[1] / p.k.shape[1])),
        bins(p.elementwise.shape[1]) {}
};

/// Buffers of one thread.
struct Workspace {
  float *queries, *grad_outs;  // [D, kGroupRows]
  float* scores;               // [kTileKeys, kGroupRows] S in log2
  float* gradients;            // [kTileKeys, kGroupRows] G
  RowBins sums;

  static int64_t floats(int64_t padded_depth, int64_t bins) {
    return kGroupRows * (2 * padded_depth + 2 * kTileKeys + 2 * bins);
  }
  Workspace(float* p, int64_t padded_depth, int64_t bins) {
    const auto take = [&](int64_t count) { return (p += count * kGroupRows) - count * kGroupRows; };
    queries = take(padded_depth), grad_outs = take(padded_depth);
    scores = take(kTileKeys), gradients = take(kTileKeys);
    sums.weights = take(bins), sums.gradients = take(bins);
  }
};

/// Keeps the weight and gradient of this key for the rows in which it is dominant.
void take_dominants(Rows& rows, IVec dominates, Vec weight, Vec gradient, int32_t key, int vec) {
  for (int i = 0; i < kLanes; ++i) {
    if (dominates[i]) rows.dominants[vec * kLanes + i] = {weight[i], gradient[i], key};
  }
}

/// Adds keys [begin, end) of a tile whose buffers start at key `first`; they are all sinks, or all
/// past the sinks. In the wedge (keys less than kGroupRows - 1 before the end of the tile), a key
/// belongs to the tile's own bin for lane c only when it is at least kGroupRows - 1 - c keys before
/// the end. Otherwise it belongs to the bin before, whose sums are `nearer`; in tile 0 its distance
/// is then negative, and A is set to 0.
void add_keys(const Workspace& w, Rows& rows, float epsilon, int32_t first, int32_t begin,
              int32_t end, int32_t tile_end, BinSums& own, BinSums& nearer) {
  for (int v = 0; v < kRowVecs; ++v) {
    const Vec log2_sum = load(rows.log2_sums + v * kLanes), delta = load(rows.deltas + v * kLanes);
    const IVec wedge = kGroupRows - 1 - (lane_indices() + v * kLanes);
    const IVec position = lane_indices() + (rows.first + v * kLanes);
    for (int32_t key = begin; key < end; ++key) {
      const int64_t at = static_cast<int64_t>(key - first) * kGroupRows + v * kLanes;
      Vec weight = exp2(load(w.scores + at) - log2_sum);
      if (key > rows.first) weight = position >= key ? weight : Vec{};
      const Vec gradient = load(w.gradients + at);
      const IVec dominates = weight > kDominantWeight;
      if (any(dominates)) {
        take_dominants(rows, dominates, weight, gradient, key, v);
        weight = dominates ? Vec{} : weight;
      }
      const Vec product = weight * gradient;
      const Vec effect = abs(weight * (gradient - delta) / (1.0f - weight + epsilon));
      const int32_t from_end = tile_end - 1 - key;
      if (from_end >= kGroupRows - 1) {
        own.weights[v] += weight, own.gradients[v] += product, own.effects[v] += effect;
        continue;
      }
      const IVec in_own = wedge <= from_end;
      own.weights[v] += in_own ? weight : Vec{}, nearer.weights[v] += in_own ? Vec{} : weight;
      own.gradients[v] += in_own ? product : Vec{}, nearer.gradients[v] += in_own ? Vec{} : product;
      own.effects[v] += in_own ? effect : Vec{}, nearer.effects[v] += in_own ? Vec{} : effect;
    }
  }
}

double total(const Vec (&sums)[kRowVecs]) {
  double sum = 0;
  for (const Vec& v : sums) sum += reduce_add(v);
  return sum;
}

void add_to_rows(const Vec (&sums)[kRowVecs], float* rows) {
  for (int v = 0; v < kRowVecs; ++v) store(rows + v * kLanes, load(rows + v * kLanes) + sums[v]);
}

/// Adds the sums of one tile: `own` to bin `tile`, `nearer` to bin `tile` - 1.
void add_bins(const Workspace& w, Rows& rows, int64_t tile, bool sinks, const BinSums& own,
              const BinSums& nearer, const ItemSums& sums) {
  for (int64_t bin = tile; bin >= std::max<int64_t>(tile - 1, 0); --bin) {
    const BinSums& from = bin == tile ? own : nearer;
    (sinks ? sums.elementwise_sink : sums.elementwise)[bin] += total(from.effects);
    add_to_rows(from.weights, sinks ? rows.sink_weights : w.sums.weights + bin * kGroupRows);
    add_to_rows(from.gradients, sinks ? rows.sink_gradients : w.sums.gradients + bin * kGroupRows);
  }
}

/// A and G of each row's own key, which lies in tile 0.
void take_own_keys(const Workspace& w, Rows& rows, int32_t first) {
  for (int c = 0; c < rows.count; ++c) {
    const int64_t at = static_cast<int64_t>(rows.first + c - first) * kGroupRows + c;
    rows.own_weights[c] = std::min(1.0f, std::exp2(w.scores[at] - rows.log2_sums[c]));
    rows.own_gradients[c] = w.gradients[at];
  }
}

Rows load_rows(const Inputs& in, const RowGroup& item, int32_t first, int32_t count,
               const Workspace& w) {
  const InfluenceParams& p = in.params;
  const int64_t row = p.segments[item.segment].row_start + first,
                column = static_cast<int64_t>(item.head) * in.depth;
  load_transposed(p.q.row<const float>(row) + column, p.q.row_stride, count, in.depth,
                  p.scale * kLog2E, w.queries);
  load_transposed(p.grad_out.row<const float>(row) + column, p.grad_out.row_stride, count, in.depth,
                  1.0f, w.grad_outs);
  Rows rows;
  rows.first = first, rows.count = count;
  std::fill_n(rows.log2_sums, kGroupRows, __builtin_inff());
  std::fill_n(rows.deltas, kGroupRows, 0.0f);
  for (int c = 0; c < count; ++c) {
    rows.log2_sums[c] = p.log_sum_exp.row<const float>(row + c)[item.head] * kLog2E;
    rows.deltas[c] = row_delta(p.out, p.grad_out, row + c, item.head, in.depth);
  }
  return rows;
}

void add_group(const Inputs& in, const RowGroup& item, int32_t first_row, int32_t count,
               const Workspace& w, const ItemSums& sums) {
  Rows rows = load_rows(in, item, first_row, count, w);
  const int32_t sink = in.params.sink, length = in.params.segments[item.segment].row_count;
  const float* keys = in.of_keys.rows(in.k, item.segment, item.head / in.group);
  const float* values = in.of_keys.rows(in.v, item.segment, item.head / in.group);
  const int64_t own_bins = (first_row + count - 1) / kBinKeys + 1;
  std::fill_n(w.sums.weights, own_bins * kGroupRows, 0.0f);
  std::fill_n(w.sums.gradients, own_bins * kGroupRows, 0.0f);
  int32_t tile_end = first_row + kGroupRows;
  for (int64_t tile = 0; tile_end > 0; ++tile, tile_end -= kBinKeys) {
    const int32_t first = std::max(0, tile_end - kBinKeys),
                  end = std::min({tile_end, first_row + count, length});
    const int keys_read = static_cast<int>(round_up(end - first, kKeyStep));
    multiply_by_keys(keys + first * static_cast<int64_t>(in.padded_depth), in.padded_depth,
                     keys_read, w.queries, in.depth, w.scores);
    multiply_by_keys(values + first * static_cast<int64_t>(in.padded_depth), in.padded_depth,
                     keys_read, w.grad_outs, in.depth, w.gradients);
    if (tile == 0) take_own_keys(w, rows, first);
    const int32_t sinks_end = std::clamp(sink, first, end);
    for (const bool sinks : {false, true}) {
      if (sinks ? sinks_end == first : sinks_end == end) continue;
      BinSums own, nearer;
      add_keys(w, rows, in.params.epsilon, first, sinks ? first : sinks_end,
               sinks ? sinks_end : end, tile_end, own, nearer);
      add_bins(w, rows, tile, sinks, own, nearer, sums);
    }
  }
  finish_rows(rows, w.sums, in.params, in.bins, sums);
}

std::vector<RowGroup> plan_items(const Inputs& in, int64_t* products) {
  std::vector<RowGroup> items;
  for (size_t s = 0; s < in.params.segments.size(); ++s) {
    const int32_t count = in.params.segments[s].row_count;
    const auto step =
        static_cast<int32_t>(round_up((count + kItemsPerHead - 1) / kItemsPerHead, kGroupRows));
    for (int head = 0; head < in.params.q.shape[1]; ++head) {
      for (int32_t row = 0; row < count; row += step) {
        const int32_t rows = std::min(step, count - row);
        items.push_back({s, head, row, rows, static_cast<int64_t>(rows) * (2 * row + rows)});
        *products += items.back().cost * in.depth;
      }
    }
  }
  sort_by_cost(items);
  return items;
}

void add_to_output(const TensorRef& output, int kv_head, const double* sums, int64_t bins) {
  float* row = output.row<float>(kv_head);
  for (int64_t b = 0; b < bins; ++b) row[b] = static_cast<float>(row[b] + sums[b]);
}

}  // namespace

void influence(const InfluenceParams& params) {
  Inputs in(params);
  int64_t products = 0;
  const std::vector<RowGroup> items = plan_items(in, &products);
  const int threads = threads_for(products, kSerialProducts);
  const int64_t packed_floats = whole_lines(in.of_keys.floats());
  const int64_t workspace_floats = whole_lines(Workspace::floats(in.padded_depth, in.bins + 1));
  float* scratch = scratch_floats(2 * packed_floats + workspace_floats * threads);
  in.k = scratch, in.v = scratch + packed_floats;
  const int kv_heads = static_cast<int>(in.of_keys.heads());
  std::vector<double> partial(items.size() * 3 * static_cast<size_t>(in.bins), 0.0);
  const auto sums_of = [&](size_t item) {
    double* p = partial.data() + item * 3 * static_cast<size_t>(in.bins);
    return ItemSums{p, p + in.bins, p + 2 * in.bins};
  };
#pragma omp parallel num_threads(threads)
  {
    const Workspace w(scratch + 2 * packed_floats + thread_index() * workspace_floats,
                      in.padded_depth, in.bins + 1);
#pragma omp for collapse(2) schedule(static)
    for (size_t s = 0; s < params.segments.size(); ++s) {
      for (int head = 0; head < kv_heads; ++head) {
        in.of_keys.fill(in.k, params.k, params.segments[s], s, head);
        in.of_keys.fill(in.v, params.v, params.segments[s], s, head);
      }
    }
#pragma omp for schedule(dynamic, 1)
    for (size_t i = 0; i < items.size(); ++i) {
      for (int32_t row = items[i].row; row < items[i].row + items[i].rows; row += kGroupRows) {
        const int32_t count = std::min(kGroupRows, items[i].row + items[i].rows - row);
        add_group(in, items[i], row, count, w, sums_of(i));
      }
    }
  }
  // Items are added in a fixed order, whichever thread computed them: the result is deterministic.
  std::vector<double> totals(static_cast<size_t>(kv_heads) * 3 * in.bins, 0.0);
  for (size_t i = 0; i < items.size(); ++i) {
    double* into = totals.data() + (items[i].head / in.group) * 3 * in.bins;
    for (int64_t b = 0; b < 3 * in.bins; ++b)
      into[b] += partial[i * 3 * static_cast<size_t>(in.bins) + b];
  }
  for (int head = 0; head < kv_heads; ++head) {
    const double* sums = totals.data() + head * 3 * in.bins;
    add_to_output(params.elementwise, head, sums, in.bins);
    add_to_output(params.elementwise_sink, head, sums + in.bins, in.bins);
    add_to_output(params.joint, head, sums + 2 * in.bins, in.bins);
  }
}

}  // namespace moa::cpu
