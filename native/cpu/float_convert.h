#pragma once
// Conversions of f16 and bf16 to and from f32. Narrowing rounds to nearest even; NaN stays NaN;
// overflow becomes infinity.
#include <bit>
#include <cstdint>
#include <cstring>

#include "moa/error.h"
#include "moa/tensor.h"

#if defined(__F16C__)
#include <immintrin.h>
#endif

namespace moa {

/// Storage types. They hold the bits of an element; to_float and from_float convert it.
struct F16 {
  uint16_t bits;
};
struct BF16 {
  uint16_t bits;
};

inline float to_float(float x) {
  return x;
}
inline float to_float(BF16 x) {
  return std::bit_cast<float>(static_cast<uint32_t>(x.bits) << 16);
}
inline float to_float(F16 x) {
#if defined(__F16C__)
  return _cvtsh_ss(x.bits);
#else
  const uint32_t sign = static_cast<uint32_t>(x.bits & 0x8000u) << 16;
  // Exponent and mantissa, moved to where f32 has them.
  const uint32_t magnitude = static_cast<uint32_t>(x.bits & 0x7fffu) << 13;
  if ((x.bits & 0x7c00u) == 0x7c00u) return std::bit_cast<float>(sign | 0x7f800000u | magnitude);
  // The factor 2^112 moves the exponent bias from 15 to 127 and turns subnormal numbers into normal
  // ones.
  return std::bit_cast<float>(std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) * 0x1p112f) |
                              sign);
#endif
}

template <class T>
T from_float(float x);
template <>
inline float from_float<float>(float x) {
  return x;
}
template <>
inline BF16 from_float<BF16>(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const uint32_t quiet_nan = (bits >> 16) | 0x40u;  // rounding could turn a NaN into a number
  return BF16{static_cast<uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? quiet_nan : rounded)};
}
template <>
inline F16 from_float<F16>(float x) {
#if defined(__F16C__)
  return F16{static_cast<uint16_t>(_cvtss_sh(x, _MM_FROUND_TO_NEAREST_INT))};
#else
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return F16{static_cast<uint16_t>(sign | 0x7e00u)};
  // 65520 and more round to infinity.
  if (magnitude >= 0x477ff000u) return F16{static_cast<uint16_t>(sign | 0x7c00u)};
  // Below 2^-14 the result is subnormal: adding 0.5 puts its last bit where f32 has its own last
  // bit, so that the addition rounds to it.
  if (magnitude < 0x38800000u) {
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return F16{static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000u))};
  }
  const uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u) - 0x38000000u;
  return F16{static_cast<uint16_t>(sign | (rounded >> 13))};
#endif
}

/// out[i] = x[i] as f32, for n contiguous elements.
inline void to_floats(const float* x, float* out, int64_t n) {
  std::memcpy(out, x, static_cast<size_t>(n) * 4);
}
inline void to_floats(const BF16* x, float* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = to_float(x[i]);
}
inline void to_floats(const F16* x, float* out, int64_t n) {
  int64_t i = 0;
#if defined(__F16C__)
  for (; i + 8 <= n; i += 8) {
    _mm256_storeu_ps(out + i,
                     _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x + i))));
  }
#endif
  for (; i < n; ++i) out[i] = to_float(x[i]);
}

/// out[i] = x[i] rounded to the type of `out`, for n contiguous elements.
inline void from_floats(const float* x, float* out, int64_t n) {
  std::memcpy(out, x, static_cast<size_t>(n) * 4);
}
inline void from_floats(const float* x, BF16* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = from_float<BF16>(x[i]);
}
inline void from_floats(const float* x, F16* out, int64_t n) {
  int64_t i = 0;
#if defined(__F16C__)
  for (; i + 8 <= n; i += 8) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i),
                     _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
  }
#endif
  for (; i < n; ++i) out[i] = from_float<F16>(x[i]);
}

/// Calls f(T{}) with the storage type of a float dtype: float, F16 or BF16.
template <class F>
auto dispatch_float(DType dtype, F&& f) {
  switch (dtype) {
    case DType::kF32:
      return f(float{});
    case DType::kF16:
      return f(F16{});
    case DType::kBF16:
      return f(BF16{});
    default:
      throw Error(ErrorCode::kUnsupported, "Expected dtype f32, f16 or bf16 but received i32");
  }
}

}  // namespace moa
