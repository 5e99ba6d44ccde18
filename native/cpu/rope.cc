#include "cpu/cpu_ops.h"
#include "cpu/parallel.h"
#include "cpu/rotation.h"

namespace moa::cpu {

void rope(const RopeParams& params) {
  const auto* frequencies = static_cast<const float*>(params.inverse_frequencies.data);
  const int64_t half = params.q.shape[2] / 2;
  const int64_t row_elements = params.q.row_size() + params.k.row_size();
  for (const Segment& segment : params.segments) {
#pragma omp parallel for if (segment.row_count * row_elements > kParallelElements)
    for (int32_t i = 0; i < segment.row_count; ++i) {
      float cosine[kMaxHalfHeadDim], sine[kMaxHalfHeadDim];
      rotation_of(segment.first_position + i, frequencies, half, params.scale, params.inverse,
                  cosine, sine);
      const int64_t row = segment.row_start + i;
      rotate_heads(params.q.row<float>(row), params.q.shape[1], half, cosine, sine);
      rotate_heads(params.k.row<float>(row), params.k.shape[1], half, cosine, sine);
    }
  }
}

}  // namespace moa::cpu
