#pragma once
// exp, sin and cos without branches or calls, so that the compiler vectorizes the loops around
// them. NaN gives NaN.
#include <bit>
#include <cmath>
#include <cstdint>

namespace moa::cpu {

/// e^x over the whole range of f32: relative error below 2e-7 where the result is normal, infinity
/// above 88.8, 0 below -104. With x = n ln2 + r and |r| <= ln2 / 2, e^r comes from its Taylor
/// polynomial. 2^n is multiplied in two factors, because n can be outside the range of one float's
/// exponent.
inline float exp_f32(float x) {
  // 1.5 * 2^23: adding it leaves round(x) in the low bits of the mantissa.
  constexpr float kRoundToInteger = 12582912.0f;
  constexpr uint32_t kRoundBits = 0x4b400000u;  // the bits of kRoundToInteger
  // ln2 in two parts (Cody and Waite), so that n * kLn2High is exact.
  constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
  x = x < -104.0f ? -104.0f : x;
  x = x > 89.0f ? 89.0f : x;
  const float shifted = x * 1.44269504f + kRoundToInteger;
  const float n = shifted - kRoundToInteger;
  const float r = (x - n * kLn2High) - n * kLn2Low;
  float y = 1.0f / 5040;
  y = y * r + 1.0f / 720;
  y = y * r + 1.0f / 120;
  y = y * r + 1.0f / 24;
  y = y * r + 1.0f / 6;
  y = y * r + 0.5f;
  y = y * r + 1.0f;
  y = y * r + 1.0f;
  const uint32_t power = std::bit_cast<uint32_t>(shifted) - kRoundBits;  // n in two's complement
  const uint32_t half = static_cast<uint32_t>(static_cast<int32_t>(power) >> 1);
  const float first = std::bit_cast<float>((half + 127u) << 23);
  const float second = std::bit_cast<float>((power - half + 127u) << 23);
  return y * first * second;
}

/// Sine and cosine of an angle in radians, with an absolute error below 1e-9 for |angle| < 2^24.
/// They are computed in double: an angle grows with the position, and in f32 its reduction by
/// multiples of pi / 2 would lose the digits that remain.
inline void sin_cos(double angle, double& sine, double& cosine) {
  constexpr double kHalfPi = 1.5707963267948966;
  const double n = std::nearbyint(angle / kHalfPi);
  const double r = angle - n * kHalfPi;  // |r| <= pi / 4
  const double r2 = r * r;
  const double s =
      r +
      r * r2 *
          (-1.0 / 6 + r2 * (1.0 / 120 + r2 * (-1.0 / 5040 + r2 * (1.0 / 362880 - r2 / 39916800))));
  const double c =
      1.0 + r2 * (-0.5 + r2 * (1.0 / 24 + r2 * (-1.0 / 720 + r2 * (1.0 / 40320 - r2 / 3628800))));
  const double quadrant = n - 4.0 * std::floor(n * 0.25);  // 0 to 3, counter-clockwise
  const bool swapped = quadrant == 1.0 || quadrant == 3.0;
  const double s_turned = swapped ? c : s;
  const double c_turned = swapped ? s : c;
  sine = quadrant >= 2.0 ? -s_turned : s_turned;
  cosine = quadrant == 1.0 || quadrant == 2.0 ? -c_turned : c_turned;
}

}  // namespace moa::cpu
