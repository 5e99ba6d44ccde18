#pragma once
#include <vector>

#include "cpu/attention_tile.h"
#include "moa/ops.h"

namespace moa::cpu {

/// Layout of a copy of [T, H, D] in which the rows of one head of a segment are contiguous and
/// padded with zeros to whole register tiles. In the original, rows are a whole token apart and
/// fall into few cache sets, while tiled attention reads each of them many times.
class PackedHeads {
 public:
  PackedHeads(View<Segment> segments, int64_t heads, int64_t head_dim)
      : heads_(heads), depth_(head_dim), padded_depth_(round_up(head_dim, kKeyStep)) {
    for (const Segment& segment : segments) {
      starts_.push_back(rows_);
      // One step more, because a tile may start at any row and reads whole steps.
      rows_ += round_up(segment.row_count, kKeyStep) + kKeyStep;
    }
  }

  int64_t floats() const { return heads_ * rows_ * padded_depth_; }
  int64_t heads() const { return heads_; }
  int64_t padded_depth() const { return padded_depth_; }
  /// Index of the first row of one segment and head in an array with one value per head and row.
  int64_t row_index(size_t segment, int64_t head) const { return head * rows_ + starts_[segment]; }
  int64_t row_indices() const { return heads_ * rows_; }
  float* rows(float* buffer, size_t segment, int64_t head) const {
    return buffer + row_index(segment, head) * padded_depth_;
  }

  /// Copies one head of segment number `index` from `tensor` into `buffer`.
  void fill(float* buffer, const TensorRef& tensor, const Segment& segment, size_t index,
            int64_t head) const {
    const int padded = static_cast<int>(round_up(segment.row_count, kKeyStep) + kKeyStep);
    copy_rows_padded(tensor.row<const float>(segment.row_start) + head * depth_, tensor.row_stride,
                     segment.row_count, padded, static_cast<int>(depth_), rows(buffer, index, head),
                     static_cast<int>(padded_depth_));
  }

 private:
  int64_t heads_, depth_, padded_depth_, rows_ = 0;
  std::vector<int64_t> starts_;  // first row of each segment within a head
};

}  // namespace moa::cpu
