#pragma once
// Tiles in shared memory, and their fragments, for the mma.sync kernels of attention_backward and
// influence. A tile has rows of D 16-bit elements, whose 16-byte chunks swizzled_chunk() permutes;
// it starts at a multiple of 1 KB. All kernels have 128 threads.
#include "cuda/cache/tile.h"
#include "cuda/device/mma.cuh"
#include "cuda/gradient/launch.cuh"

namespace moa::cuda {

constexpr int kMmaThreads = 128;

/// Calls f.template operator()<T, D>() for the shapes that gradient_kernel() gives to these
/// kernels.
template <class F>
void with_mma_shape(DType dtype, int64_t head_dim, F&& f) {
  with_half_type(dtype, "q", [&]<class T>() {
    switch (head_dim) {
      case 32:
        return f.template operator()<T, 32>();
      case 64:
        return f.template operator()<T, 64>();
      case 96:
        return f.template operator()<T, 96>();
      case 128:
        return f.template operator()<T, 128>();
    }
    throw Error(ErrorCode::kInternal, "Expected a head dim of the tensor-core kernels");
  });
}

template <int D>
struct MmaTile {
  static constexpr int kRowBytes = D * 2, kChunks = D / 8;
  static constexpr int kSteps = D / 16;  // steps of 16 elements

  static constexpr int bytes(int rows) { return rows * kRowBytes; }

  /// Loads rows [first, first + kRows) of one head; rows from `end` on become 0.
  template <int kRows, class T>
  static __device__ __forceinline__ void load(uint32_t tile, const HeadRows<const T>& from,
                                              int32_t row_start, int32_t first, int32_t end,
                                              int64_t column) {
    static_assert(kRows * kChunks % kMmaThreads == 0);
#pragma unroll
    for (int i = 0; i < kRows * kChunks / kMmaThreads; ++i) {
      const int index = threadIdx.x + i * kMmaThreads, row = index / kChunks,
                chunk = index % kChunks;
      const bool valid = first + row < end;
      const T* source = from.row(row_start + (valid ? first + row : 0), column + chunk * 8);
      cp_async_16_or_zero(
          tile + row * kRowBytes + swizzled_chunk(chunk, row, kChunks) * kChunkBytes, source,
          valid);
    }
  }

  /// Where this lane reads, for ldmatrix.x4, within a 16 x 16 part that starts at a multiple of 16
  /// rows. The part becomes an A operand (rows are m) or, transposed, the B operands of two n-tiles
  /// (rows are k).
  static __device__ __forceinline__ uint32_t row_fragment() {
    const int lane = threadIdx.x % 32, row = lane % 16, chunk = lane / 16;
    return row * kRowBytes + swizzled_chunk(chunk, row, kChunks) * kChunkBytes;
  }
  /// The same for the B operands of two n-tiles whose rows are n.
  static __device__ __forceinline__ uint32_t column_fragment() {
    const int lane = threadIdx.x % 32, row = lane / 16 * 8 + lane % 8, chunk = lane / 8 % 2;
    return row * kRowBytes + swizzled_chunk(chunk, row, kChunks) * kChunkBytes;
  }
  /// The address of the part that is 16 * step elements further. The permutation is an XOR of
  /// address bits.
  static __device__ __forceinline__ uint32_t at_step(uint32_t address, int step) {
    if constexpr (kChunks % 8 == 0 || kChunks == 4) {
      return address ^ (step << 5);
    } else {
      return (address ^ ((step & 1) << 5)) + (step >> 1) * 64;
    }
  }
};

/// Makes an A operand (16 x 16) from the sums of two n-tiles.
template <class T>
__device__ __forceinline__ void sums_to_operand(const float (&low)[4], const float (&high)[4],
                                                uint32_t (&a)[4]) {
  a[0] = pack_pair<T>(low[0], low[1]);
  a[1] = pack_pair<T>(low[2], low[3]);
  a[2] = pack_pair<T>(high[0], high[1]);
  a[3] = pack_pair<T>(high[2], high[3]);
}

/// Starts a copy of 8 bytes from global to shared memory; writes 8 zero bytes when `valid` is
/// false.
__device__ __forceinline__ void cp_async_8_or_zero(uint32_t shared, const void* global,
                                                   bool valid) {
  const int bytes = valid ? 8 : 0;
  asm volatile("cp.async.ca.shared.global [%0], [%1], 8, %2;" ::"r"(shared), "l"(global),
               "r"(bytes));
}

/// Stores a 16 x D tile of sums, times `factor`, in rows first + (0..15) of one head. Rows from
/// `end` on are skipped.
template <class T, int D>
__device__ __forceinline__ void store_sums(const HeadRows<T>& to, int32_t row_start, int32_t first,
                                           int32_t end, int64_t column, float factor,
                                           const float (&sums)[D / 8][4]) {
  const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll
  for (int upper = 0; upper < 2; ++upper) {
    const int32_t row = first + g + 8 * upper;
    if (row >= end) continue;
    T* out = to.row(row_start + row, column + 2 * t);
#pragma unroll
    for (int n = 0; n < D / 8; ++n) {
      *reinterpret_cast<uint32_t*>(out + 8 * n) =
          pack_pair<T>(sums[n][2 * upper] * factor, sums[n][2 * upper + 1] * factor);
    }
  }
}

}  // namespace moa::cuda
