#pragma once
// Merging of partial softmaxes (LeanAttention, arXiv 2405.10480, section 3: the rescaling is
// associative). Host and device share this arithmetic, which is tested on the CPU. A part covers
// some keys j with scores x_j in the exp2 domain and holds
//   maximum >= max x_j,  sum = sum 2^(x_j - maximum),  values = sum 2^(x_j - maximum) v_j;
// Attention over all keys is values / sum of the merged parts; the grouping does not matter.
#include <cmath>
#include <cstdint>

#include "moa/ring.h"

namespace moa::cuda {

/// The maximum of a part without keys. It is finite, so that the difference of two of them is not
/// NaN, and below every score that is not -infinity.
constexpr float kEmptyMaximum = -1e30f;

/// Four neighbouring elements of a row, loaded and stored at once.
struct alignas(16) Quad {
  float v[4];
};
constexpr int32_t kQuad = 4;

struct SoftmaxPart {
  float maximum, sum;
  Quad values;
};

/// The factor that turns sums relative to `maximum` into sums relative to `merged`, where merged >=
/// maximum.
MOA_HOST_DEVICE float softmax_weight(float maximum, float merged) {
  return exp2f(maximum - merged);
}

/// Merges the parts maximum(i), sum(i), values(i) for i in [0, count), in this order. A NaN in a
/// sum or a value reaches the result; maxima are never NaN.
template <class Maximum, class Sum, class Values>
MOA_HOST_DEVICE SoftmaxPart merge_softmax(int32_t count, Maximum maximum, Sum sum, Values values) {
  SoftmaxPart all{kEmptyMaximum, 0.0f, {}};
  for (int32_t i = 0; i < count; ++i) all.maximum = fmaxf(all.maximum, maximum(i));
#ifdef __CUDA_ARCH__
#pragma unroll 8  // keeps 8 loads of values in flight
#endif
  for (int32_t i = 0; i < count; ++i) {
    const float weight = softmax_weight(maximum(i), all.maximum);
    const Quad part = values(i);
    all.sum += weight * sum(i);
    for (int32_t k = 0; k < kQuad; ++k) all.values.v[k] += weight * part.v[k];
  }
  return all;
}

}  // namespace moa::cuda
