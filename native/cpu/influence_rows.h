#pragma once
// What the influence keeps per query row, and what it computes from that once all keys of a row
// have been seen: |E| of the dominant key, and the joint influence.
#include <cmath>
#include <cstdint>

#include "cpu/attention_rows.h"
#include "moa/ops.h"

namespace moa::cpu {

inline constexpr int kBinKeys = 64;  // keys per distance bin

/// A key with a larger weight A is dominant in its row. For it G - delta and 1 - A lose their
/// digits by cancellation, so its E is computed from the sums over the other keys of the row. The
/// bound is a little above 1/2, so that rounding cannot make two keys of a row dominant.
inline constexpr float kDominantWeight = 0.51f;

/// The dominant key of a row; `weight` is 0 when there is none.
struct DominantKey {
  float weight = 0, gradient = 0;  // A, G
  int32_t key = 0;
};

/// The rows of one group: positions first + lane.
struct Rows {
  int32_t first, count;
  float log2_sums[kGroupRows];  // L; +infinity past the last row, so that A is 0 there
  float deltas[kGroupRows];     // gradOut . out
  // Sums of A and A G over the sinks.
  float sink_weights[kGroupRows] = {}, sink_gradients[kGroupRows] = {};
  // A and G at the row's own key.
  float own_weights[kGroupRows] = {}, own_gradients[kGroupRows] = {};
  DominantKey dominants[kGroupRows];  // no sum contains them before finish_rows()
};

/// Sums of the rows over the keys of each bin past the sinks.
struct RowBins {
  float* weights;    // [bins, kGroupRows] A
  float* gradients;  // [bins, kGroupRows] A G
};

/// What one work item adds to the outputs of its KV head.
struct ItemSums {
  double *elementwise, *elementwise_sink, *joint;  // [bins]
};

struct RowTotal {
  double weight, gradient;  // sums of A and A G

  void add(double a, double a_g) { weight += a, gradient += a_g; }
};

/// The total over all keys that are in the sums of row `c`.
inline RowTotal row_total(const Rows& rows, const RowBins& bins, int c) {
  RowTotal total{rows.sink_weights[c], rows.sink_gradients[c]};
  for (int64_t b = 0; b <= (rows.first + c) / kBinKeys; ++b)
    total.add(bins.weights[b * kGroupRows + c], bins.gradients[b * kGroupRows + c]);
  return total;
}

/// |E_j| from R and Q, the sums of A and A G over the other keys. With weights that sum to 1, G_j -
/// delta = G_j R - Q and 1 - A_j = R. Dividing by the actual sum removes an error that all weights
/// share.
inline double dominant_effect(const DominantKey& j, const RowTotal& others, double epsilon) {
  const double total = others.weight + j.weight;
  const double moved = j.weight * (j.gradient * others.weight - others.gradient),
               scale = total * (epsilon * total + others.weight);
  // `scale` is 0 only when epsilon is 0 and the weights of all other keys underflowed: no weight
  // can move.
  return std::abs(scale > 0 ? moved / scale : moved);
}

/// Adds |E| of the dominant key of row `c` to the outputs, then the key itself to the sums of the
/// row.
inline void finish_dominant(Rows& rows, const RowBins& bins, const InfluenceParams& params, int c,
                            RowTotal& total, const ItemSums& sums) {
  const DominantKey& j = rows.dominants[c];
  const int32_t position = rows.first + c, bin = (position - j.key) / kBinKeys;
  const bool sink = j.key < params.sink;
  const float product = j.weight * j.gradient;
  // Row 0 has no other key to which weight could move.
  (sink ? sums.elementwise_sink : sums.elementwise)[bin] +=
      position == 0 ? std::fabs(product) : dominant_effect(j, total, params.epsilon);
  (sink ? rows.sink_weights[c] : bins.weights[bin * kGroupRows + c]) += j.weight;
  (sink ? rows.sink_gradients[c] : bins.gradients[bin * kGroupRows + c]) += product;
  total.add(j.weight, product);
}

/// joint[b] += |delta of the row when only the sinks and the bins below b are kept - delta with all
/// keys|.
inline void add_joint(const Rows& rows, const RowBins& bins, const InfluenceParams& params, int c,
                      const RowTotal& total, int64_t bin_count, double* joint) {
  const int32_t position = rows.first + c, sink = params.sink;
  RowTotal kept{rows.sink_weights[c], rows.sink_gradients[c]};
  const double own_weight = rows.own_weights[c], own_gradient = rows.own_gradients[c],
               delta = total.gradient / total.weight;
  const auto change = [&](double weight, double gradient) {
    // When all kept weights underflowed, only the row's own key counts.
    return std::abs((weight > 0 ? gradient / weight : own_gradient) - delta);
  };
  if (position > sink)
    joint[0] += change(kept.weight + own_weight, kept.gradient + own_weight * own_gradient);
  for (int64_t b = 1; b < bin_count && position - b * kBinKeys >= sink; ++b) {
    const int64_t at = (b - 1) * kGroupRows + c;
    kept.add(bins.weights[at], bins.gradients[at]);
    joint[b] += change(kept.weight, kept.gradient);
  }
}

inline void finish_rows(Rows& rows, const RowBins& bins, const InfluenceParams& params,
                        int64_t bin_count, const ItemSums& sums) {
  for (int c = 0; c < rows.count; ++c) {
    RowTotal total = row_total(rows, bins, c);
    if (rows.dominants[c].weight > 0) finish_dominant(rows, bins, params, c, total, sums);
    add_joint(rows, bins, params, c, total, bin_count, sums.joint);
  }
}

}  // namespace moa::cpu
