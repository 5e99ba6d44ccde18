// Backward pass of dense causal attention. The weights are recomputed from logSumExp
// (FlashAttention-2, Dao 2023, section 2.3.2):
//   P = 2^(S - L), G = gradOut . v, dS = P (G - delta), gradQ = scale dS K, gradK = scale dS^T Q,
//   gradV = P^T gradOut.
// There are two passes: one with keys across lanes for gradK and gradV, one with query rows across
// lanes for gradQ. So every output has one writer, and the result is deterministic without atomics.
// This costs 7 matrix products, where a single pass with shared sums would need 5.
#include <algorithm>
#include <vector>

#include "cpu/attention_rows.h"
#include "cpu/cpu_ops.h"

namespace moa::cpu {
namespace {

/// Read-only inputs, packed.
struct Inputs {
  const AttentionBackwardParams& params;
  PackedHeads of_queries, of_keys;
  float *q, *grad_out;  // packed by of_queries
  float *k, *v;         // packed by of_keys
  float* log2_sums;     // [heads, rows] L = logSumExp * log2(e)
  float* deltas;        // [heads, rows] gradOut . out
  int depth, padded_depth, group;
  float to_log2;  // scale * log2(e)

  Inputs(const AttentionBackwardParams& p)
      : params(p),
        of_queries(p.segments, p.q.shape[1], p.q.shape[2]),
        of_keys(p.segments, p.k.shape[1], p.k.shape[2]),
        depth(static_cast<int>(p.q.shape[2])),
        padded_depth(static_cast<int>(of_keys.padded_depth())),
        group(static_cast<int>(p.q.shape[1] / p.k.shape[1])),
        to_log2(p.scale * kLog2E) {}
  int64_t floats() const {
    return 2 * (whole_lines(of_queries.floats()) + whole_lines(of_keys.floats()) +
                whole_lines(of_queries.row_indices()));
  }
  void carve(float* p) {
    const auto take = [&](int64_t count) { return (p += whole_lines(count)) - whole_lines(count); };
    q = take(of_queries.floats()), grad_out = take(of_queries.floats());
    k = take(of_keys.floats()), v = take(of_keys.floats());
    log2_sums = take(of_queries.row_indices()), deltas = take(of_queries.row_indices());
  }
  void fill_query_head(size_t s, int head) const {
    const Segment& segment = params.segments[s];
    of_queries.fill(q, params.q, segment, s, head);
    of_queries.fill(grad_out, params.grad_out, segment, s, head);
    for (int32_t r = 0; r < segment.row_count; ++r) {
      const int64_t index = of_queries.row_index(s, head) + r, row = segment.row_start + r;
      log2_sums[index] = params.log_sum_exp.row<const float>(row)[head] * kLog2E;
      deltas[index] = row_delta(params.out, params.grad_out, row, head, depth);
    }
  }
  void fill_key_head(size_t s, int head) const {
    of_keys.fill(k, params.k, params.segments[s], s, head);
    of_keys.fill(v, params.v, params.segments[s], s, head);
  }
};

/// Buffers of one thread.
struct Workspace {
  float *lanes_a, *lanes_b;  // [D, kGroupRows] q and gradOut, or k and v, across lanes
  float *sums_a, *sums_b;    // [D, kGroupRows] gradQ, or gradK and gradV
  float* weights;            // [kTileKeys, kGroupRows] S, then P
  float* gradients;          // [kTileKeys, kGroupRows] G, then dS

  static int64_t floats(int64_t padded_depth) {
    return kGroupRows * (4 * padded_depth + 2 * kTileKeys);
  }
  Workspace(float* p, int64_t padded_depth) {
    const auto take = [&](int64_t count) { return (p += count * kGroupRows) - count * kGroupRows; };
    lanes_a = take(padded_depth), lanes_b = take(padded_depth), sums_a = take(padded_depth),
    sums_b = take(padded_depth);
    weights = take(kTileKeys), gradients = take(kTileKeys);
  }
};

/// Turns S and G of one tile into P and dS. Rows of the tile are keys `first + j`, lanes are query
/// rows `row + lane`.
void key_tile_gradients(const Workspace& w, int count, int32_t first, int32_t row,
                        const float* log2_sums, const float* deltas) {
  for (int v = 0; v < kRowVecs; ++v) {
    const Vec log2_sum = load(log2_sums + v * kLanes), delta = load(deltas + v * kLanes);
    const IVec position = lane_indices() + (row + v * kLanes);
    for (int j = 0; j < count; ++j) {
      float* weight = w.weights + j * kGroupRows + v * kLanes;
      float* gradient = w.gradients + j * kGroupRows + v * kLanes;
      Vec p = exp2(load(weight) - log2_sum);
      if (first + j > row) p = position >= first + j ? p : Vec{};
      store(gradient, p * (load(gradient) - delta));
    }
  }
}

void query_group(const Inputs& in, const RowGroup& group, const Workspace& w) {
  const Segment& segment = in.params.segments[group.segment];
  const int kv_head = group.head / in.group;
  const int64_t stride = in.padded_depth;
  const int64_t offset = group.row * stride;
  load_transposed(in.of_queries.rows(in.q, group.segment, group.head) + offset, stride, group.rows,
                  in.depth, in.to_log2, w.lanes_a);
  load_transposed(in.of_queries.rows(in.grad_out, group.segment, group.head) + offset, stride,
                  group.rows, in.depth, 1.0f, w.lanes_b);
  float log2_sums[kGroupRows] = {}, deltas[kGroupRows] = {}, factors[kGroupRows];
  const int64_t index = in.of_queries.row_index(group.segment, group.head) + group.row;
  std::copy_n(in.log2_sums + index, group.rows, log2_sums);
  std::copy_n(in.deltas + index, group.rows, deltas);
  std::fill_n(factors, kGroupRows, in.params.scale);
  std::fill_n(w.sums_a, stride * kGroupRows, 0.0f);
  const int32_t end = group.row + group.rows;
  for (int32_t first = 0; first < end; first += kTileKeys) {
    const int count = static_cast<int>(round_up(std::min(kTileKeys, end - first), kKeyStep));
    const float* keys = in.of_keys.rows(in.k, group.segment, kv_head) + first * stride;
    const float* values = in.of_keys.rows(in.v, group.segment, kv_head) + first * stride;
    multiply_by_keys(keys, stride, count, w.lanes_a, in.depth, w.weights);
    multiply_by_keys(values, stride, count, w.lanes_b, in.depth, w.gradients);
    key_tile_gradients(w, count, first, group.row, log2_sums, deltas);
    add_weighted_values(keys, stride, count, w.gradients, in.padded_depth, w.sums_a);
  }
  store_transposed(
      w.sums_a, factors, group.rows, in.depth, false,
      in.params.grad_q.row<float>(segment.row_start + group.row) + group.head * in.depth,
      in.params.grad_q.row_stride);
}

/// Like key_tile_gradients, with the roles swapped: rows of the tile are query rows `first + i`,
/// lanes are keys `key + lane`. It also stores P, which gradV needs.
void row_tile_gradients(const Workspace& w, int count, int valid, int32_t first, int32_t key,
                        const float* log2_sums, const float* deltas) {
  for (int i = 0; i < count; ++i) {
    const bool cut = first + i < key + kGroupRows - 1 || i >= valid;
    const float log2_sum = i < valid ? log2_sums[i] : 0.0f, delta = i < valid ? deltas[i] : 0.0f;
    for (int v = 0; v < kRowVecs; ++v) {
      float* weight = w.weights + i * kGroupRows + v * kLanes;
      float* gradient = w.gradients + i * kGroupRows + v * kLanes;
      Vec p = exp2(load(weight) - log2_sum);
      if (cut) p = lane_indices() + (key + v * kLanes) <= (i < valid ? first + i : -1) ? p : Vec{};
      store(weight, p);
      store(gradient, p * (load(gradient) - delta));
    }
  }
}

void key_group(const Inputs& in, const RowGroup& group, const Workspace& w) {
  const Segment& segment = in.params.segments[group.segment];
  const int64_t stride = in.padded_depth;
  const int64_t offset = group.row * stride;
  load_transposed(in.of_keys.rows(in.k, group.segment, group.head) + offset, stride, group.rows,
                  in.depth, in.to_log2, w.lanes_a);
  load_transposed(in.of_keys.rows(in.v, group.segment, group.head) + offset, stride, group.rows,
                  in.depth, 1.0f, w.lanes_b);
  std::fill_n(w.sums_a, stride * kGroupRows, 0.0f);
  std::fill_n(w.sums_b, stride * kGroupRows, 0.0f);
  for (int head = group.head * in.group; head < (group.head + 1) * in.group; ++head) {
    for (int32_t first = group.row; first < segment.row_count; first += kTileKeys) {
      const int valid = std::min(kTileKeys, segment.row_count - first);
      const int count = static_cast<int>(round_up(valid, kKeyStep));
      const float* queries = in.of_queries.rows(in.q, group.segment, head) + first * stride;
      const float* grad_outs =
          in.of_queries.rows(in.grad_out, group.segment, head) + first * stride;
      const int64_t index = in.of_queries.row_index(group.segment, head) + first;
      multiply_by_keys(queries, stride, count, w.lanes_a, in.depth, w.weights);
      multiply_by_keys(grad_outs, stride, count, w.lanes_b, in.depth, w.gradients);
      row_tile_gradients(w, count, valid, first, group.row, in.log2_sums + index,
                         in.deltas + index);
      add_weighted_values(queries, stride, count, w.gradients, in.padded_depth, w.sums_a);
      add_weighted_values(grad_outs, stride, count, w.weights, in.padded_depth, w.sums_b);
    }
  }
  float scales[kGroupRows], ones[kGroupRows];
  std::fill_n(scales, kGroupRows, in.params.scale);
  std::fill_n(ones, kGroupRows, 1.0f);
  const int64_t row = segment.row_start + group.row,
                column = static_cast<int64_t>(group.head) * in.depth;
  store_transposed(w.sums_a, scales, group.rows, in.depth, false,
                   in.params.grad_k.row<float>(row) + column, in.params.grad_k.row_stride);
  store_transposed(w.sums_b, ones, group.rows, in.depth, false,
                   in.params.grad_v.row<float>(row) + column, in.params.grad_v.row_stride);
}

/// The work of the two passes: groups of query rows (for gradQ) and groups of keys (for gradK and
/// gradV). A pair of query row and key costs 4/3 as many products in a key group as in a row group.
struct Plan {
  std::vector<RowGroup> query_groups, key_groups;
  int64_t products = 0;
};

Plan plan_groups(const Inputs& in) {
  Plan plan;
  for (size_t s = 0; s < in.params.segments.size(); ++s) {
    const int32_t count = in.params.segments[s].row_count;
    for (int32_t row = 0; row < count; row += kGroupRows) {
      const int32_t rows = std::min(kGroupRows, count - row);
      for (int head = 0; head < in.of_queries.heads(); ++head)
        plan.query_groups.push_back({s, head, row, rows, row + rows});
      for (int head = 0; head < in.of_keys.heads(); ++head)
        plan.key_groups.push_back({s, head, row, rows, count - row});
    }
    plan.products += static_cast<int64_t>(count) * count * in.of_queries.heads() * in.depth;
  }
  sort_by_cost(plan.query_groups);
  sort_by_cost(plan.key_groups);
  return plan;
}

}  // namespace

void attention_backward(const AttentionBackwardParams& params) {
  Inputs in(params);
  const Plan plan = plan_groups(in);
  const int threads = threads_for(plan.products, kSerialProducts);
  const int64_t workspace_floats = whole_lines(Workspace::floats(in.padded_depth));
  float* scratch = scratch_floats(in.floats() + workspace_floats * threads);
  in.carve(scratch);
#pragma omp parallel num_threads(threads)
  {
    const Workspace w(scratch + in.floats() + thread_index() * workspace_floats, in.padded_depth);
#pragma omp for collapse(2) schedule(static) nowait
    for (size_t s = 0; s < params.segments.size(); ++s) {
      for (int head = 0; head < in.of_queries.heads(); ++head) in.fill_query_head(s, head);
    }
#pragma omp for collapse(2) schedule(static)
    for (size_t s = 0; s < params.segments.size(); ++s) {
      for (int head = 0; head < in.of_keys.heads(); ++head) in.fill_key_head(s, head);
    }
#pragma omp for schedule(dynamic, 1) nowait
    for (size_t i = 0; i < plan.key_groups.size(); ++i) key_group(in, plan.key_groups[i], w);
#pragma omp for schedule(dynamic, 1)
    for (size_t i = 0; i < plan.query_groups.size(); ++i) query_group(in, plan.query_groups[i], w);
  }
}

}  // namespace moa::cpu
