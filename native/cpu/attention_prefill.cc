// Tiled attention with online softmax. A work item is a block of query rows of one head. It visits
// only the key tiles that at least one of its rows sees. The keys and values of a tile are read
// (and converted) once per block, and each group of rows of the block computes only the part of the
// tile that it sees. Masks are applied only in tiles that the causal diagonal, the edge of the
// window or the end of a run cuts.
#include <algorithm>
#include <vector>

#include "cpu/attention_tile.h"
#include "cpu/cpu_ops.h"
#include "cpu/key_runs.h"
#include "cpu/packed_heads.h"
#include "cpu/scratch.h"

namespace moa::cpu {
namespace {

constexpr int kBlockGroups = 4;
constexpr int kBlockRows = kBlockGroups * kGroupRows;
// Below every score, but finite: in a row that has seen nothing yet, -infinity - kNoScore is
// -infinity, not NaN.
constexpr float kNoScore = -1e30f;
constexpr float kMasked = -__builtin_inff();

/// A block of rows of one query head.
struct Block {
  const Segment* segment;
  const KeyRuns* runs;
  int head;
  int32_t row, rows;  // within the segment
  int64_t cost;       // pairs of row and key
};

/// Buffers of one thread, carved out of the op's scratch.
struct Workspace {
  int depth = 0, padded_depth = 0;  // D, and D rounded up to whole register tiles
  float* keys = nullptr;            // [kTileKeys, padded_depth]
  float* values = nullptr;          // [kTileKeys, padded_depth]
  float* scores = nullptr;          // [kTileKeys, kGroupRows]
  float* queries = nullptr;         // [kBlockGroups, D, kGroupRows]
  float* outs = nullptr;            // [kBlockGroups, padded_depth, kGroupRows]
  float* largest = nullptr;         // [kBlockRows] running maximum of scores, in log2
  float* sums = nullptr;            // [kBlockRows] running sum of 2^(score - largest)

  explicit Workspace(int64_t head_dim)
      : depth(static_cast<int>(head_dim)), padded_depth(static_cast<int>(round_up(head_dim, 16))) {}
  int64_t floats() const {
    return padded_depth * (2 * kTileKeys + 2 * kBlockRows) + kTileKeys * kGroupRows +
           2 * kBlockRows;
  }
  void carve(float* p) {
    const auto take = [&](int64_t count) { return (p += count) - count; };
    keys = take(kTileKeys * padded_depth), values = take(kTileKeys * padded_depth);
    scores = take(kTileKeys * kGroupRows);
    queries = take(padded_depth * kBlockRows), outs = take(padded_depth * kBlockRows);
    largest = take(kBlockRows), sums = take(kBlockRows);
  }
};

/// One tile of a run, as f32, which may be read up to whole register tiles.
struct Tile {
  const float* keys;
  const float* values;
  int64_t stride;
  int32_t first, count;  // positions [first, first + count)
};

/// The tile is used in place where the memory of the run is f32 and may be read up to whole
/// register tiles; otherwise it is copied to the workspace.
Tile load_tile(const KeyRun& run, int32_t first, int32_t count, const Workspace& w) {
  const int64_t skip = first - run.first;
  const bool whole = run.dtype == DType::kF32 && count % kKeyStep == 0 && w.depth % kKeyStep == 0;
  if (run.padded || whole) {
    const int64_t offset = skip * run.stride;
    return {static_cast<const float*>(run.keys) + offset,
            static_cast<const float*>(run.values) + offset, run.stride, first, count};
  }
  const int padded = static_cast<int>(round_up(count, kKeyStep));
  dispatch_float(run.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T* keys = static_cast<const T*>(run.keys) + skip * run.stride;
    const T* values = static_cast<const T*>(run.values) + skip * run.stride;
    copy_rows_padded(keys, run.stride, count, padded, w.depth, w.keys, w.padded_depth);
    copy_rows_padded(values, run.stride, count, padded, w.depth, w.values, w.padded_depth);
  });
  return {w.keys, w.values, w.padded_depth, first, count};
}

/// Sets scores to minus infinity where row position `row + lane` does not see key position `first +
/// j`, or where j >= valid.
void mask_scores(float* scores, int32_t first, int count, int valid, int32_t row, bool windowed,
                 int32_t window) {
  for (int j = 0; j < count; ++j) {
    for (int v = 0; v < kRowVecs; ++v) {
      float* score = scores + j * kGroupRows + v * kLanes;
      const IVec distance = lane_indices() + (row + v * kLanes - first - j);
      IVec seen = distance >= 0;
      if (windowed) seen &= distance < window;
      if (j >= valid) seen = IVec{};
      store(score, seen ? load(score) : broadcast(kMasked));
    }
  }
}

/// Turns scores into weights 2^(score - largest) and brings the running maximum, sum and output up
/// to date.
void softmax_step(float* scores, int count, float* out_t, int depth, float* largest, float* sums) {
  for (int v = 0; v < kRowVecs; ++v) {
    float* score = scores + v * kLanes;
    const Vec before = load(largest + v * kLanes);
    Vec now = before;
    for (int j = 0; j < count; ++j) now = max(load(score + j * kGroupRows), now);
    Vec sum = load(sums + v * kLanes);
    if (any(now > before)) {
      const Vec shrink = exp2(before - now);
      sum *= shrink;
      for (int d = 0; d < depth; ++d) {
        float* out = out_t + d * kGroupRows + v * kLanes;
        store(out, load(out) * shrink);
      }
      store(largest + v * kLanes, now);
    }
    Vec tile_sum{};
    for (int j = 0; j < count; ++j) {
      const Vec weight = exp2(load(score + j * kGroupRows) - now);
      tile_sum += weight;
      store(score + j * kGroupRows, weight);
    }
    store(sums + v * kLanes, sum + tile_sum);
  }
}

/// Computes the part of a tile that a group of rows at positions [row, row + rows) sees.
void attend_group(const Tile& tile, bool windowed, int32_t window, int32_t row, int rows,
                  const Workspace& w, int group) {
  const int32_t last_row = row + rows - 1;
  const int32_t end = std::min(tile.first + tile.count, last_row + 1);
  int32_t begin = windowed ? std::max(tile.first, row - window + 1) : tile.first;
  if (begin >= end) return;
  begin = tile.first + (begin - tile.first) / kKeyStep * kKeyStep;
  const int count = static_cast<int>(round_up(end - begin, kKeyStep));
  const int64_t skip = begin - tile.first;
  const float* queries = w.queries + static_cast<int64_t>(group) * w.padded_depth * kGroupRows;
  float* out = w.outs + static_cast<int64_t>(group) * w.padded_depth * kGroupRows;
  multiply_by_keys(tile.keys + skip * tile.stride, tile.stride, count, queries, w.depth, w.scores);
  const bool cut =
      begin + count - 1 > row || (windowed && last_row - begin >= window) || begin + count > end;
  if (cut)
    mask_scores(w.scores, begin, count, static_cast<int>(end - begin), row, windowed, window);
  const int value_depth = static_cast<int>(round_up(w.depth, kKeyStep));
  softmax_step(w.scores, count, out, value_depth, w.largest + group * kGroupRows,
               w.sums + group * kGroupRows);
  add_weighted_values(tile.values + skip * tile.stride, tile.stride, count, w.scores, value_depth,
                      out);
}

void start_block(const AttentionPrefillParams& params, const Block& block, const Workspace& w) {
  std::fill_n(w.largest, kBlockRows, kNoScore);
  std::fill_n(w.sums, kBlockRows, 0.0f);
  for (int32_t r = 0, group = 0; r < block.rows; r += kGroupRows, ++group) {
    const int64_t offset = static_cast<int64_t>(group) * w.padded_depth * kGroupRows;
    const float* q =
        params.q.row<float>(block.segment->row_start + block.row + r) + block.head * w.depth;
    load_transposed(q, params.q.row_stride, block.rows - r, w.depth, params.scale * kLog2E,
                    w.queries + offset);
    std::fill_n(w.outs + offset, w.padded_depth * kGroupRows, 0.0f);
  }
}

void finish_block(const AttentionPrefillParams& params, const Block& block, const Workspace& w) {
  float inverse[kGroupRows];
  for (int32_t r = 0, group = 0; r < block.rows; r += kGroupRows, ++group) {
    const int64_t row = block.segment->row_start + block.row + r;
    const int count = std::min(kGroupRows, block.rows - r);
    for (int i = 0; i < kGroupRows; ++i) inverse[i] = 1.0f / w.sums[r + i];
    const float* out_t = w.outs + static_cast<int64_t>(group) * w.padded_depth * kGroupRows;
    store_transposed(out_t, inverse, count, w.depth, false,
                     params.out.row<float>(row) + block.head * w.depth, params.out.row_stride);
    if (!params.log_sum_exp) continue;
    for (int i = 0; i < count; ++i) {
      params.log_sum_exp.row<float>(row + i)[block.head] =
          w.largest[r + i] / kLog2E + std::log(w.sums[r + i]);
    }
  }
}

void attend_block(const AttentionPrefillParams& params, const Block& block, const Workspace& w) {
  start_block(params, block, w);
  const int32_t position = block.segment->first_position + block.row;
  for (int i = 0; i < block.runs->count; ++i) {
    const KeyRun& run = block.runs->runs[i];
    const int32_t end = std::min(run.first + run.count, position + block.rows);
    for (int32_t first = block.runs->first_seen(run, position); first < end; first += kTileKeys) {
      const Tile tile = load_tile(run, first, std::min(kTileKeys, end - first), w);
      for (int32_t r = 0, group = 0; r < block.rows; r += kGroupRows, ++group) {
        attend_group(tile, run.windowed, block.runs->window, position + r,
                     std::min(kGroupRows, block.rows - r), w, group);
      }
    }
  }
  finish_block(params, block, w);
}

/// All blocks. The costliest come first, so that all threads finish at about the same time.
std::vector<Block> plan_blocks(const AttentionPrefillParams& params,
                               const std::vector<KeyRuns>& runs) {
  const int heads = static_cast<int>(params.q.shape[1]),
            kv_heads = static_cast<int>(params.k.shape[1]);
  std::vector<Block> blocks;
  for (size_t s = 0; s < params.segments.size(); ++s) {
    const Segment& segment = params.segments[s];
    for (int head = 0; head < heads; ++head) {
      const KeyRuns& of_head = runs[s * kv_heads + head / (heads / kv_heads)];
      for (int32_t row = 0; row < segment.row_count; row += kBlockRows) {
        const int32_t rows = std::min(kBlockRows, segment.row_count - row);
        const int32_t position = segment.first_position + row;
        const int64_t cost = rows * of_head.live_keys(position, position + rows - 1);
        blocks.push_back({&segment, &of_head, head, row, rows, cost});
      }
    }
  }
  std::stable_sort(blocks.begin(), blocks.end(),
                   [](const Block& a, const Block& b) { return a.cost > b.cost; });
  return blocks;
}

}  // namespace

void attention_prefill(const AttentionPrefillParams& params) {
  const View<Segment> segments = params.segments;
  const int kv_heads = static_cast<int>(params.k.shape[1]);
  const Workspace layout(params.q.shape[2]);
  const PackedHeads packing(segments, kv_heads, params.k.shape[2]);
  const int64_t workspace_floats = whole_lines(layout.floats()),
                packed_floats = whole_lines(packing.floats());
  float* packed_keys = scratch_floats(2 * packed_floats + workspace_floats * max_threads());
  float* packed_values = packed_keys + packed_floats;
  float* workspaces = packed_values + packed_floats;
  std::vector<KeyRuns> runs;
  for (size_t s = 0; s < segments.size(); ++s) {
    if (params.cache != nullptr && segments[s].first_position > 0) {
      cpu_cache(params.cache)
          .expect_stored(segments[s].sequence, params.layer, segments[s].first_position);
    }
    for (int head = 0; head < kv_heads; ++head) {
      runs.push_back(key_runs(params, segments[s], head,
                              {packing.rows(packed_keys, s, head),
                               packing.rows(packed_values, s, head), packing.padded_depth()}));
    }
  }
  const std::vector<Block> blocks = plan_blocks(params, runs);
  int64_t cost = 0;
  for (const Block& block : blocks) cost += block.cost;
  // Multiply-adds that one core does in less time than it takes to wake a thread.
  constexpr int64_t kSerialProducts = 1 << 18;
  const int threads = threads_for(2 * cost * params.q.shape[2], kSerialProducts);
#pragma omp parallel num_threads(threads)
  {
    Workspace w = layout;
    w.carve(workspaces + thread_index() * workspace_floats);
#pragma omp for collapse(2) schedule(dynamic, 1)
    for (size_t s = 0; s < segments.size(); ++s) {
      for (int head = 0; head < kv_heads; ++head) {
        packing.fill(packed_keys, params.k, segments[s], s, head);
        packing.fill(packed_values, params.v, segments[s], s, head);
      }
    }
#pragma omp for schedule(dynamic, 1)
    for (size_t i = 0; i < blocks.size(); ++i) attend_block(params, blocks[i], w);
  }
}

}  // namespace moa::cpu
