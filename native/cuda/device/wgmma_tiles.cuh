#pragma once
// What the wgmma kernels share. One producer warpgroup copies tiles, and two consumer warpgroups
// compute 64 rows each. A tile in shared memory consists of columns of boxes, 64 elements wide
// (rows of 128 bytes, swizzled: device/wgmma.cuh, device/tma.cuh). Here are the products over
// tiles, and the way of rows of sums to memory.
#include "cuda/device/barrier.cuh"
#include "cuda/device/mma.cuh"
#include "cuda/device/tma.cuh"
#include "cuda/device/wgmma.cuh"

namespace moa::cuda::wgmma_tiles {

constexpr int kGroups = 2;  // groups of consumers; the producer's group comes before them
constexpr int kGroupThreads = 128, kGroupWarps = 4, kGroupRows = 64, kWarpRows = 16;
constexpr int kThreads = kGroupThreads * (1 + kGroups);
constexpr int kConsumerWarps = kGroups * kGroupWarps;
constexpr int kAtomBytes = 1024;  // 8 rows of a box; tiles are aligned to this
static_assert(kTmaBoxRows == kGroupRows);

// 128 * 40 + 256 * 232 registers are as many as 384 threads with 168 each have.
constexpr int kProducerRegisters = 40, kConsumerRegisters = 232;

/// False in code for other architectures: there the kernels are empty and never launched.
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
constexpr bool kHasWgmma = true;
#else
constexpr bool kHasWgmma = false;
#endif

/// The first atom boundary in dynamic shared memory, whose start has less alignment.
__device__ __forceinline__ char* aligned_to_atom(char* shared) {
  return shared + -shared_address(shared) % kAtomBytes;
}

/// The index of the calling consumer's group. The compiler knows that this value is the same in the
/// whole warp, so branches on it may stand between products and the wait for them.
__device__ __forceinline__ int warp_uniform_group() {
  return __shfl_sync(0xffffffffu, static_cast<int>(threadIdx.x) / kGroupThreads, 0) - 1;
}

/// Stage and barrier parity of use number `count` of a ring of stages.
template <int kStages>
struct Turn {
  uint32_t count = 0;
  __device__ __forceinline__ uint32_t stage() const { return count % kStages; }
  __device__ __forceinline__ uint32_t parity() const { return count / kStages % 2; }
};

/// Issues sums [64, rows of b] = A B^T as one group. `a` and `b` are tiles with rows of kDim
/// elements; `a_column` and `b_column` are the bytes from one column of boxes to the next.
template <class T, int kDim, int kSums>
__device__ __forceinline__ void multiply_rows(float (&sums)[kSums], uint32_t a, int a_column,
                                              uint32_t b, int b_column) {
  const uint64_t rows = wgmma_descriptor(a, 16, kAtomBytes);
  const uint64_t columns = wgmma_descriptor(b, 16, kAtomBytes);
  wgmma_fence();
  wgmma_rows<T, false>(sums, rows, columns);
#pragma unroll
  for (int step = 1; step < kDim / 16; ++step) {
    const int column = step / 4, inside = step % 4 * 32;
    wgmma_rows<T, true>(sums, wgmma_advance(rows, column * a_column + inside),
                        wgmma_advance(columns, column * b_column + inside));
  }
  wgmma_commit();
}

/// Loads the group's rows of a tile as A operands, for products with other tiles. `column` is the
/// number of bytes from one column of boxes to the next. The caller passes `lane`: see store_rows.
template <int kSteps>
__device__ __forceinline__ void load_operand(uint32_t (&operand)[kSteps][4], uint32_t tile,
                                             int column, int warp, int lane) {
  const uint32_t row = tile + (warp * kWarpRows + lane % 16) * kTmaBoxElements * 2;
#pragma unroll
  for (int step = 0; step < kSteps; ++step) {
    const int chunk = step % 4 * 2 + lane / 16;
    ldmatrix_x4(operand[step], row + step / 4 * column + (chunk ^ lane % 8) * 16);
  }
}

/// Issues sums [64, rows of b] = A B^T as one group, with A in registers.
template <class T, int kSums, int kSteps>
__device__ __forceinline__ void multiply_operand(float (&sums)[kSums],
                                                 const uint32_t (&operand)[kSteps][4], uint32_t b,
                                                 int b_column) {
  const uint64_t columns = wgmma_descriptor(b, 16, kAtomBytes);
  wgmma_fence();
  wgmma_rows<T, false>(sums, operand[0], columns);
#pragma unroll
  for (int step = 1; step < kSteps; ++step) {
    wgmma_rows<T, true>(sums, operand[step],
                        wgmma_advance(columns, step / 4 * b_column + step % 4 * 32));
  }
  wgmma_commit();
}

/// Issues sums [64, D] += weights [64, rows of the tile] . tile as one group.
template <class T, int kSums, int kSteps>
__device__ __forceinline__ void add_weighted_rows(float (&sums)[kSums],
                                                  const uint32_t (&weights)[kSteps][4],
                                                  uint32_t tile, int column) {
  const uint64_t rows = wgmma_descriptor(tile, column, kAtomBytes);
  wgmma_fence();
#pragma unroll
  for (int step = 0; step < kSteps; ++step) {
    wgmma_add<T>(sums, weights[step], wgmma_advance(rows, step * 2 * kAtomBytes));
  }
  wgmma_commit();
}

/// Rounds sums [64, 16 kSteps] to A operands.
template <class T, int kSums, int kSteps>
__device__ __forceinline__ void pack_operand(const float (&sums)[kSums],
                                             uint32_t (&operand)[kSteps][4]) {
  static_assert(kSums == 8 * kSteps);
#pragma unroll
  for (int step = 0; step < kSteps; ++step) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      operand[step][i] = pack_pair<T>(sums[8 * step + 2 * i], sums[8 * step + 2 * i + 1]);
    }
  }
}

/// The threads of a group set rows [first, end) of a tile to zero. They must pass a barrier
/// afterwards.
template <int kDim>
__device__ __forceinline__ void clear_rows(char* tile, int column_bytes, int first, int end) {
  constexpr int kRowChunks = kTmaBoxElements * 2 / 16;
  const int chunks = (end - first) * kRowChunks;
  for (int i = static_cast<int>(threadIdx.x) % kGroupThreads; i < chunks; i += kGroupThreads) {
#pragma unroll
    for (int column = 0; column < kDim / kTmaBoxElements; ++column) {
      *reinterpret_cast<uint4*>(tile + column * column_bytes + (first * kRowChunks + i) * 16) =
          make_uint4(0, 0, 0, 0);
    }
  }
  async_proxy_fence();
}

/// Writes a warp's 16 rows of sums to rows [0, count) at `to` [count, kDim], in 16-byte chunks. Row
/// g is multiplied by factor[0] and row g + 8 by factor[1], for g = lane / 4. The rows pass through
/// `stage` [16, kDim], shared memory that belongs to this warp. The caller passes `lane`, because a
/// second computation of it here made the compiler keep two copies, and prefill then spilled a
/// register.
template <class T, int kDim>
__device__ __forceinline__ void store_rows(const float (&sums)[kDim / 2], const float (&factor)[2],
                                           char* stage, T* to, int64_t stride, int32_t count,
                                           int lane) {
  constexpr int kChunks = kDim / 8;
  const auto at = [&](int row, int chunk) {
    return stage + row * kDim * 2 + (chunk ^ (row & 7)) * 16;
  };
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const int row = lane / 4 + 8 * r;
#pragma unroll
    for (int tile = 0; tile < kChunks; ++tile) {
      const float* pair = sums + 4 * tile + 2 * r;
      *reinterpret_cast<uint32_t*>(at(row, tile) + lane % 4 * 4) =
          pack_pair<T>(pair[0] * factor[r], pair[1] * factor[r]);
    }
  }
  __syncwarp();
#pragma unroll
  for (int i = lane; i < kWarpRows * kChunks; i += 32) {
    const int row = i / kChunks, chunk = i % kChunks;
    if (row < count) {
      *reinterpret_cast<uint4*>(to + row * stride + chunk * 8) =
          *reinterpret_cast<const uint4*>(at(row, chunk));
    }
  }
}

}  // namespace moa::cuda::wgmma_tiles
