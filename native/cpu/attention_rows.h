#pragma once
// What the backward pass and the influence both need, per row and query head, to recompute
// attention weights.
#include <algorithm>
#include <vector>

#include "cpu/packed_heads.h"
#include "cpu/scratch.h"

namespace moa::cpu {

/// A group of rows (or keys) of one head, the unit of work.
struct RowGroup {
  size_t segment;
  int head;
  int32_t row, rows;  // within the segment; rows <= kGroupRows
  int64_t cost;       // in any unit: the costliest start first
};

/// The delta of a row: gradOut . out, which equals the sum over its keys of A G.
inline float row_delta(const TensorRef& out, const TensorRef& grad_out, int64_t row, int64_t head,
                       int64_t head_dim) {
  const float* x = out.row<const float>(row) + head * head_dim;
  const float* y = grad_out.row<const float>(row) + head * head_dim;
  double sum = 0;
  for (int64_t d = 0; d < head_dim; ++d) sum += static_cast<double>(x[d]) * y[d];
  return static_cast<float>(sum);
}

inline void sort_by_cost(std::vector<RowGroup>& groups) {
  std::stable_sort(groups.begin(), groups.end(),
                   [](const RowGroup& a, const RowGroup& b) { return a.cost > b.cost; });
}

/// Multiply-adds that one core does in less time than it takes to wake a thread.
inline constexpr int64_t kSerialProducts = 1 << 18;

}  // namespace moa::cpu
