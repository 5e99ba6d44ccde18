#pragma once
// Where keys and values lie in device memory; CacheView in moa/cuda_abi.h describes the layout.
// Host and device share this arithmetic, which is tested on the CPU.
#include <cstdint>

#include "moa/ring.h"
#include "moa/tensor.h"

namespace moa::cuda {

constexpr int32_t kTileTokens = kBlockTokens;
constexpr int32_t kChunkBytes = 16;  // one lane of ldmatrix reads a chunk

/// Whether rows are swizzled: they are in caches that the tensor-core kernels read.
MOA_HOST_DEVICE bool cache_swizzled(DType dtype, int32_t head_dim) {
  const bool half = dtype == DType::kF16 || dtype == DType::kBF16;
  return half &&
         (head_dim == 32 || head_dim == 64 || head_dim == 96 || head_dim == 128 || head_dim == 256);
}

/// The place of chunk `chunk` within its row `row` of `chunks` chunks. The same chunk of eight
/// consecutive rows then lies in eight different groups of four banks. Rows of whole 128-byte lines
/// permute all eight chunks of a line. Rows with an odd number of half lines (head dims 32 and 96)
/// permute the four chunks of a half line, alike in two neighbouring rows.
MOA_HOST_DEVICE int32_t swizzled_chunk(int32_t chunk, int32_t row, int32_t chunks) {
  return chunks % 8 == 0 ? chunk ^ (row & 7) : chunk ^ ((row >> 1) & 3);
}

/// Slots of tile `tile` of a head with `capacity` slots.
MOA_HOST_DEVICE int32_t tile_slots(int32_t tile, int32_t capacity) {
  const int32_t left = capacity - tile * kTileTokens;
  return left < kTileTokens ? left : kTileTokens;
}

/// Byte offset of the key (or value) row of `slot`, from the start of the head's first tile.
MOA_HOST_DEVICE int64_t slot_offset(int32_t slot, bool value, int32_t capacity, int32_t row_bytes) {
  const int32_t tile = slot / kTileTokens, row = slot % kTileTokens;
  const int64_t base = static_cast<int64_t>(tile) * kTileTokens * 2 * row_bytes;
  return base + static_cast<int64_t>(value ? tile_slots(tile, capacity) + row : row) * row_bytes;
}

/// Byte offset of element `element` of that row, with the swizzle applied.
MOA_HOST_DEVICE int64_t element_offset(int32_t slot, bool value, int32_t capacity, int32_t head_dim,
                                       int32_t element, DType dtype) {
  const int32_t size = dtype == DType::kF32 ? 4 : 2;
  const int32_t row_bytes = head_dim * size;
  const int64_t row = slot_offset(slot, value, capacity, row_bytes);
  if (!cache_swizzled(dtype, head_dim)) return row + element * size;
  const int32_t byte = element * size;
  return row +
         swizzled_chunk(byte / kChunkBytes, slot % kTileTokens, row_bytes / kChunkBytes) *
             kChunkBytes +
         byte % kChunkBytes;
}

}  // namespace moa::cuda
