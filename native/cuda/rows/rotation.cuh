#pragma once
// Rotary embedding on the device: the same formula as native/cpu/rotation.h.

namespace moa::cuda {

/// (cosine, sine) of position * inverse_frequency, times `scale`; the inverse rotation has the sine
/// negated. The angle is rounded to float32 first, as in the code that trained the models. The
/// reduction and the polynomials are in double: float32 would lose digits of the large angle of a
/// late position, and CUDA's sincosf uses local memory for large arguments.
__device__ __forceinline__ float2 rotation_of(int position, float inverse_frequency, float scale,
                                              bool inverse) {
  constexpr double kTwoOverPi = 0.6366197723675814, kHalfPi = 1.5707963267948966;
  const double angle = __fmul_rn(static_cast<float>(position), inverse_frequency);
  const double n = rint(angle * kTwoOverPi);
  const double r = fma(-n, kHalfPi, angle);  // |r| <= pi / 4
  const double r2 = r * r;
  const double s =
      r + r * r2 *
              (-1.0 / 6 +
               r2 * (1.0 / 120 + r2 * (-1.0 / 5040 + r2 * (1.0 / 362880 - r2 * (1.0 / 39916800)))));
  const double c =
      1.0 +
      r2 * (-0.5 + r2 * (1.0 / 24 + r2 * (-1.0 / 720 + r2 * (1.0 / 40320 - r2 * (1.0 / 3628800)))));
  const int quadrant = __double2int_rn(n) & 3;  // counter-clockwise
  const double sine = (quadrant & 1) != 0 ? c : s, cosine = (quadrant & 1) != 0 ? s : c;
  const double sine_scale = ((quadrant & 2) != 0) != inverse ? -scale : scale;
  const double cosine_scale = quadrant == 1 || quadrant == 2 ? -scale : scale;
  return make_float2(static_cast<float>(cosine * cosine_scale),
                     static_cast<float>(sine * sine_scale));
}

}  // namespace moa::cuda
