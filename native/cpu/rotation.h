#pragma once
#include <cstdint>

#include "cpu/elementary.h"

namespace moa::cpu {

/// Cosine and sine of position * inverse_frequencies[i] for i < half, times `scale` (the attention
/// factor). The angle is rounded to f32 first, as in Hugging Face's rotary embedding, with which
/// models were trained and goldens were made.
inline void rotation_of(int32_t position, const float* inverse_frequencies, int64_t half,
                        float scale, bool inverse, float* cosine, float* sine) {
  const float position_f32 = static_cast<float>(position);
  const double sine_scale = inverse ? -scale : scale;
  for (int64_t i = 0; i < half; ++i) {
    const float angle = position_f32 * inverse_frequencies[i];
    double s, c;
    sin_cos(angle, s, c);
    cosine[i] = static_cast<float>(c * scale);
    sine[i] = static_cast<float>(s * sine_scale);
  }
}

/// Rotates `heads` vectors [2 * half] in place; pairs are (i, i + half).
inline void rotate_heads(float* x, int64_t heads, int64_t half, const float* cosine,
                         const float* sine) {
  for (int64_t h = 0; h < heads; ++h, x += 2 * half) {
    float* low = x;
    float* high = x + half;
#pragma omp simd
    for (int64_t i = 0; i < half; ++i) {
      const float a = low[i], b = high[i];
      low[i] = a * cosine[i] - b * sine[i];
      high[i] = b * cosine[i] + a * sine[i];
    }
  }
}

constexpr int64_t kMaxHalfHeadDim = 128;  // head dims reach 256

}  // namespace moa::cpu
