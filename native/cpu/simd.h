#pragma once
// Vectors of floats, by the vector extensions of GCC and Clang. They are as wide as the registers
// of the target: 16 lanes with AVX-512, 8 with AVX, else 4. Comparisons and selections are written
// so that NaN propagates; nothing here relies on -ffast-math.
#include <cmath>
#include <cstdint>
#include <cstring>

#include "cpu/float_convert.h"

#if defined(__AVX__)
#include <immintrin.h>
#endif

namespace moa::cpu {

#if defined(__AVX512F__)
inline constexpr int kLanes = 16;
#elif defined(__AVX__)
inline constexpr int kLanes = 8;
#else
inline constexpr int kLanes = 4;
#endif

/// Architectures with 32 vector registers keep twice as many accumulators.
#if defined(__AVX512F__) || defined(__aarch64__)
inline constexpr bool kManyRegisters = true;
#else
inline constexpr bool kManyRegisters = false;
#endif

using Vec = float __attribute__((vector_size(kLanes * 4)));
using IVec = int32_t __attribute__((vector_size(kLanes * 4)));
using UVec = uint32_t __attribute__((vector_size(kLanes * 4)));

inline Vec load(const float* p) {
  Vec v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline void store(float* p, Vec v) {
  std::memcpy(p, &v, sizeof v);
}
inline Vec broadcast(float x) {
  return x - Vec{};  // x - 0 is x for every x, also for -0 and NaN
}
inline IVec broadcast(int32_t x) {
  return x + IVec{};
}

/// A load that is kept in a register. Otherwise compilers repeat the load in every instruction that
/// uses the operand, and the load ports then limit the speed of a register tile.
inline Vec load_operand(const float* p) {
  Vec v = load(p);
#if defined(__AVX512F__)
  asm("" : "+v"(v));
#elif defined(__AVX__)
  asm("" : "+x"(v));
#elif defined(__aarch64__)
  asm("" : "+w"(v));
#endif
  return v;
}

/// 0, 1, 2, ...
inline IVec lane_indices() {
  IVec v{};
  for (int i = 0; i < kLanes; ++i) v[i] = i;
  return v;
}

/// a * b + c, rounded only once where the target can do that.
inline Vec fmadd(Vec a, Vec b, Vec c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(a, b, c);
#elif defined(__FMA__)
  return _mm256_fmadd_ps(a, b, c);
#else
  return a * b + c;
#endif
}
inline Vec fmadd(float a, Vec b, Vec c) {
  return fmadd(broadcast(a), b, c);
}

/// The larger of a and b in each lane; b where either is NaN.
inline Vec max(Vec a, Vec b) {
#if defined(__AVX512F__)
  return _mm512_max_ps(a, b);
#elif defined(__AVX__)
  return _mm256_max_ps(a, b);
#else
  return a > b ? a : b;
#endif
}
/// The smaller of a and b in each lane; b where either is NaN.
inline Vec min(Vec a, Vec b) {
#if defined(__AVX512F__)
  return _mm512_min_ps(a, b);
#elif defined(__AVX__)
  return _mm256_min_ps(a, b);
#else
  return a < b ? a : b;
#endif
}
inline Vec abs(Vec a) {
  return reinterpret_cast<Vec>(reinterpret_cast<IVec>(a) & 0x7fffffff);
}

inline bool any(IVec mask) {
#if defined(__AVX512F__)
  return _mm512_test_epi32_mask(reinterpret_cast<__m512i>(mask), reinterpret_cast<__m512i>(mask)) !=
         0;
#elif defined(__AVX__)
  return _mm256_movemask_ps(reinterpret_cast<__m256>(mask)) != 0;
#else
  int32_t bits = 0;
  for (int i = 0; i < kLanes; ++i) bits |= mask[i];
  return bits != 0;
#endif
}

inline float reduce_add(Vec v) {
  float x[kLanes];
  store(x, v);
  for (int half = kLanes / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) x[i] += x[i + half];
  }
  return x[0];
}
/// The largest lane. When a lane is NaN the result is unspecified; the exponentials that follow are
/// then NaN all the same.
inline float reduce_max(Vec v) {
  float x[kLanes];
  store(x, v);
  for (int half = kLanes / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) x[i] = x[i] > x[i + half] ? x[i] : x[i + half];
  }
  return x[0];
}

inline Vec load(const F16* p) {
#if defined(__AVX512F__)
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
#elif defined(__F16C__)
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
#else
  Vec v{};
  for (int i = 0; i < kLanes; ++i) v[i] = to_float(p[i]);
  return v;
#endif
}
inline Vec load(const BF16* p) {
  using UShorts = uint16_t __attribute__((vector_size(kLanes * 2)));
  using UInts = uint32_t __attribute__((vector_size(kLanes * 4)));
  UShorts bits;
  std::memcpy(&bits, p, sizeof bits);
  return reinterpret_cast<Vec>(__builtin_convertvector(bits, UInts) << 16);
}

/// 2^x for every x: the relative error is below 2^-22 for results from 2^-126.5 to 2^127.5; smaller
/// results are 0, larger ones infinity, and NaN gives NaN. Both ends are clamped, because weights
/// that a mask drops afterwards may have any argument. With x = n + r and |r| <= 1/2, 2^r comes
/// from a minimax polynomial and 2^n from the exponent bits. These are computed unsigned, because
/// the payload of a NaN may overflow them.
inline Vec exp2(Vec x) {
  // 1.5 * 2^23: adding it leaves round(x) in the low bits of the mantissa.
  constexpr float kRoundToInteger = 12582912.0f;
  x = max(broadcast(-127.0f), x);  // n = -127 gives exponent bits 0: the result is 0. NaN stays
  x = min(broadcast(128.0f), x);   // n = 128 gives exponent bits 255: infinity. NaN stays
  const Vec shifted = x + kRoundToInteger;
  const Vec r = x - (shifted - kRoundToInteger);
  const UVec power = (reinterpret_cast<UVec>(shifted) << 23) + 0x3f800000u;
  Vec y = broadcast(1.3276472e-3f);
  y = fmadd(y, r, broadcast(9.6755413e-3f));
  y = fmadd(y, r, broadcast(5.5507133e-2f));
  y = fmadd(y, r, broadcast(2.4022120e-1f));
  y = fmadd(y, r, broadcast(6.9314697e-1f));
  y = fmadd(y, r, broadcast(1.0000001f));
  return y * reinterpret_cast<Vec>(power);
}

/// Transposes a square of kLanes x kLanes floats in registers.
inline void transpose(Vec (&v)[kLanes]) {
#if defined(__AVX__) && !defined(__AVX512F__)
  __m256 t[8];
  for (int i = 0; i < 8; i += 4) {
    const __m256 a = _mm256_unpacklo_ps(v[i], v[i + 1]), b = _mm256_unpackhi_ps(v[i], v[i + 1]);
    const __m256 c = _mm256_unpacklo_ps(v[i + 2], v[i + 3]);
    const __m256 d = _mm256_unpackhi_ps(v[i + 2], v[i + 3]);
    t[i] = _mm256_shuffle_ps(a, c, 0x44);
    t[i + 1] = _mm256_shuffle_ps(a, c, 0xee);
    t[i + 2] = _mm256_shuffle_ps(b, d, 0x44);
    t[i + 3] = _mm256_shuffle_ps(b, d, 0xee);
  }
  for (int i = 0; i < 4; ++i) {
    v[i] = _mm256_permute2f128_ps(t[i], t[i + 4], 0x20);
    v[i + 4] = _mm256_permute2f128_ps(t[i], t[i + 4], 0x31);
  }
#else
  float x[kLanes][kLanes];
  for (int i = 0; i < kLanes; ++i) store(x[i], v[i]);
  for (int i = 0; i < kLanes; ++i) {
    for (int j = 0; j < kLanes; ++j) v[i][j] = x[j][i];
  }
#endif
}

/// Sums each of kLanes vectors: lane i of the result is the sum of the lanes of v[i].
inline Vec reduce_add_each(const Vec (&v)[kLanes]) {
#if defined(__AVX__) && !defined(__AVX512F__)
  const __m256 ab = _mm256_hadd_ps(v[0], v[1]), cd = _mm256_hadd_ps(v[2], v[3]);
  const __m256 ef = _mm256_hadd_ps(v[4], v[5]), gh = _mm256_hadd_ps(v[6], v[7]);
  const __m256 abcd = _mm256_hadd_ps(ab, cd), efgh = _mm256_hadd_ps(ef, gh);
  return _mm256_permute2f128_ps(abcd, efgh, 0x20) + _mm256_permute2f128_ps(abcd, efgh, 0x31);
#else
  Vec sums{};
  for (int i = 0; i < kLanes; ++i) sums[i] = reduce_add(v[i]);
  return sums;
#endif
}

}  // namespace moa::cpu
