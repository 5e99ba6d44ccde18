#pragma once
// The arithmetic of tiled attention, for groups of kGroupRows query rows that lie across vector
// lanes. Queries, scores and outputs are transposed ([D, rows], [keys, rows]), while keys and
// values are read in their own order, one broadcast element at a time; so the softmax needs no sums
// across lanes. The backward pass also uses it with the roles swapped: keys across lanes, queries
// read in their own order.
#include <cstdint>

#include "cpu/simd.h"

namespace moa::cpu {

inline constexpr int kRowVecs = 3;  // with kKeyStep = 4: 12 accumulators, 3 operands, 1 broadcast
inline constexpr int kGroupRows = kRowVecs * kLanes;
inline constexpr int kKeyStep = kManyRegisters ? 8 : 4;  // keys or dimensions per register tile
inline constexpr int kTileKeys = 64;  // a tile's scores, keys and values stay in L1
inline constexpr float kLog2E = 1.4426950408889634f;

inline constexpr int64_t round_up(int64_t x, int64_t multiple) {
  return (x + multiple - 1) / multiple * multiple;
}

// The two products below are not inlined, because their register tiles leave no registers for
// values of the caller.

/// products[key, row] = sum over d of keys[key, d] * rows_t[d, row], for `count` keys, which is a
/// multiple of kKeyStep.
[[gnu::noinline]] inline void multiply_by_keys(const float* keys, int64_t stride, int count,
                                               const float* rows_t, int depth, float* products) {
  for (int j = 0; j < count; j += kKeyStep) {
    Vec sums[kKeyStep][kRowVecs] = {};
    const float* key = keys + j * stride;
    for (int d = 0; d < depth; ++d) {
      Vec x[kRowVecs];
      for (int v = 0; v < kRowVecs; ++v) x[v] = load_operand(rows_t + d * kGroupRows + v * kLanes);
      for (int i = 0; i < kKeyStep; ++i) {
        const Vec y = broadcast(key[i * stride + d]);
        for (int v = 0; v < kRowVecs; ++v) sums[i][v] = fmadd(y, x[v], sums[i][v]);
      }
    }
    for (int i = 0; i < kKeyStep; ++i) {
      for (int v = 0; v < kRowVecs; ++v)
        store(products + (j + i) * kGroupRows + v * kLanes, sums[i][v]);
    }
  }
}

/// out_t[d, row] += sum over keys of values[key, d] * weights[key, row]; `depth` is a multiple of
/// kKeyStep.
[[gnu::noinline]] inline void add_weighted_values(const float* values, int64_t stride, int count,
                                                  const float* weights, int depth, float* out_t) {
  for (int d = 0; d < depth; d += kKeyStep) {
    Vec sums[kKeyStep][kRowVecs];
    float* out = out_t + d * kGroupRows;
    for (int i = 0; i < kKeyStep; ++i) {
      for (int v = 0; v < kRowVecs; ++v) sums[i][v] = load(out + i * kGroupRows + v * kLanes);
    }
    for (int j = 0; j < count; ++j) {
      Vec x[kRowVecs];
      for (int v = 0; v < kRowVecs; ++v) x[v] = load_operand(weights + j * kGroupRows + v * kLanes);
      for (int i = 0; i < kKeyStep; ++i) {
        const Vec y = broadcast(values[j * stride + d + i]);
        for (int v = 0; v < kRowVecs; ++v) sums[i][v] = fmadd(y, x[v], sums[i][v]);
      }
    }
    for (int i = 0; i < kKeyStep; ++i) {
      for (int v = 0; v < kRowVecs; ++v) store(out + i * kGroupRows + v * kLanes, sums[i][v]);
    }
  }
}

/// rows_t[d, row] = factor * rows[row, d]; rows past `count` are zero.
inline void load_transposed(const float* rows, int64_t stride, int count, int depth, float factor,
                            float* rows_t) {
  for (int r = 0; r < kGroupRows; r += kLanes) {
    int d = 0;
    if (r + kLanes <= count) {
      for (; d + kLanes <= depth; d += kLanes) {
        Vec square[kLanes];
        for (int i = 0; i < kLanes; ++i) square[i] = load(rows + (r + i) * stride + d) * factor;
        transpose(square);
        for (int i = 0; i < kLanes; ++i) store(rows_t + (d + i) * kGroupRows + r, square[i]);
      }
    }
    for (; d < depth; ++d) {
      for (int i = r; i < r + kLanes; ++i)
        rows_t[d * kGroupRows + i] = i < count ? factor * rows[i * stride + d] : 0.0f;
    }
  }
}

/// rows[row, d] (+)= rows_t[d, row] * factors[row] for `count` rows.
inline void store_transposed(const float* rows_t, const float* factors, int count, int depth,
                             bool accumulate, float* rows, int64_t stride) {
  for (int r = 0; r < count; r += kLanes) {
    int d = 0;
    if (r + kLanes <= count) {
      const Vec factor = load(factors + r);
      for (; d + kLanes <= depth; d += kLanes) {
        Vec square[kLanes];
        for (int i = 0; i < kLanes; ++i)
          square[i] = load(rows_t + (d + i) * kGroupRows + r) * factor;
        transpose(square);
        for (int i = 0; i < kLanes; ++i) {
          float* to = rows + (r + i) * stride + d;
          store(to, accumulate ? load(to) + square[i] : square[i]);
        }
      }
    }
    for (; d < depth; ++d) {
      for (int i = r; i < r + kLanes && i < count; ++i) {
        float& to = rows[i * stride + d];
        to = (accumulate ? to : 0.0f) + rows_t[d * kGroupRows + i] * factors[i];
      }
    }
  }
}

/// out[row, d] = rows[row, d] as f32; columns from `depth` to `out_stride` and rows from `count` to
/// `padded` are zero.
template <class T>
void copy_rows_padded(const T* rows, int64_t stride, int count, int padded, int depth, float* out,
                      int out_stride) {
  for (int r = 0; r < count; ++r, rows += stride, out += out_stride) {
    int d = 0;
    for (; d + kLanes <= depth; d += kLanes) store(out + d, load(rows + d));
    for (; d < depth; ++d) out[d] = to_float(rows[d]);
    for (; d < out_stride; ++d) out[d] = 0.0f;
  }
  for (int i = 0; i < (padded - count) * out_stride; ++i) out[i] = 0.0f;
}

}  // namespace moa::cpu
