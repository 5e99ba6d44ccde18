// A kernel of our own for attentionDecode on the CPU: one token of each sequence over the keys and
// values that its cache holds. It is as plain as it can be: for each query head all scores, their
// softmax, and the weighted sum of the values. It stands in for native/cpu/attention_decode.cc, and
// implements the function that native/cpu/cpu_ops.h declares.
#include <algorithm>
#include <cmath>
#include <vector>

#include "cpu/cpu_kv_cache.h"
#include "cpu/cpu_ops.h"
#include "cpu/float_convert.h"

namespace moa::cpu {
namespace {

/// out = sum over slots of softmax(scale * q . key) * value, for one query head; weights: [live].
template <class T>
void attend(const float* q, const HeadSlots& slots, int32_t live, int depth, float scale,
            float* weights, float* out) {
  const T* keys = static_cast<const T*>(slots.keys);      // [live, D]
  const T* values = static_cast<const T*>(slots.values);  // [live, D]
  float largest = -INFINITY;
  for (int32_t j = 0; j < live; ++j) {
    float score = 0;
    for (int d = 0; d < depth; ++d)
      score += q[d] * to_float(keys[static_cast<int64_t>(j) * depth + d]);
    weights[j] = score * scale;
    largest = std::max(largest, weights[j]);
  }
  float sum = 0;
  for (int32_t j = 0; j < live; ++j) sum += weights[j] = std::exp(weights[j] - largest);
  std::fill_n(out, depth, 0.0f);
  for (int32_t j = 0; j < live; ++j) {
    const float weight = weights[j] / sum;
    for (int d = 0; d < depth; ++d)
      out[d] += weight * to_float(values[static_cast<int64_t>(j) * depth + d]);
  }
}

}  // namespace

void attention_decode(const AttentionDecodeParams& params) {
  const CpuKvCache& cache = cpu_cache(params.cache);
  const int heads = static_cast<int>(params.q.shape[1]);  // q and out: [B, H, D]
  const int depth = static_cast<int>(params.q.shape[2]);
  const int group = heads / cache.spec().kv_heads;  // query heads that share a KV head
  const int rows = static_cast<int>(params.sequences.size());
  // An exception must not leave the parallel region: what can throw comes before it.
  int32_t longest = 0;
  for (int row = 0; row < rows; ++row) {
    const int32_t tokens = cache.length(params.sequences[row]) + 1;
    cache.expect_stored(params.sequences[row], params.layer, tokens);
    longest = std::max(longest, tokens);
  }
  std::vector<float> weights(static_cast<size_t>(rows) * heads * longest);
#pragma omp parallel for collapse(2)
  for (int row = 0; row < rows; ++row) {
    for (int head = 0; head < heads; ++head) {
      const int32_t sequence = params.sequences[row];
      const HeadSlots slots = cache.head(sequence, params.layer, head / group);
      const int32_t live = live_slots(cache.length(sequence) + 1, slots.capacity);
      dispatch_float(cache.spec().dtype, [&](auto zero) {
        attend<decltype(zero)>(
            params.q.row<float>(row) + head * depth, slots, live, depth, params.scale,
            weights.data() + (static_cast<int64_t>(row) * heads + head) * longest,
            params.out.row<float>(row) + head * depth);
      });
    }
  }
}

}  // namespace moa::cpu
