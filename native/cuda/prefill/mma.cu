// q [T, H, D], keys, values [key rows, key heads, D] -> out [T, H, D], logSumExp [T, H]: prefill
// attention by mma.sync (sm_80 and later) in f16 and bf16. One thread block of 4 warps takes an
// item of 128 query rows (64 at head dim 256). A warp holds 32 rows (16 at head dim 256), so that
// one fragment of keys or values feeds two tiles of rows. cp.async copies blocks of 64 keys and
// values into two stages; in shared memory they are swizzled like the cache (cache/tile.h), so that
// ldmatrix has no bank conflicts.
//
// NaN: keys and values that no row of the item sees are never read; zeros take their place. A value
// that is NaN or infinite also spoils some rows that do not see it, because their weight of zero
// times it is NaN: the rows of the same warp that see another key of its block of 64.
// Measured: reports/cuda/2026-11-24-h200
#include "cuda/cache/tile.h"
#include "cuda/prefill/launch.h"
#include "cuda/prefill/softmax.cuh"

namespace moa::cuda {

namespace {

constexpr int kWarps = 4;
constexpr int kThreads = 32 * kWarps;
constexpr int kStages = 2;

template <int kDim>
struct Layout {
  // Tiles of 16 rows per warp; registers set the limit.
  static constexpr int kRowTiles = kDim <= 128 ? 2 : 1;
  static constexpr int kWarpRows = 16 * kRowTiles;
  static constexpr int kRows = kWarps * kWarpRows;
  static constexpr int kChunks = kDim / 8;  // 16-byte chunks per row
  static constexpr int kRowBytes = 2 * kDim;
  static constexpr int kTileBytes = kKeyBlock * kRowBytes;
  static constexpr int kQueryBytes = kRows * kRowBytes;
  static constexpr int kItemAt = kQueryBytes + kStages * 2 * kTileBytes;  // behind the tiles
  static constexpr int kSharedBytes = kItemAt + static_cast<int>(sizeof(PrefillItem));

  /// Byte offset of a chunk in a tile of rows.
  static __device__ __forceinline__ uint32_t at(int row, int chunk) {
    return static_cast<uint32_t>(row * kRowBytes + swizzled_chunk(chunk, row, kChunks) * 16);
  }
};

/// Where a lane of ldmatrix reads: chunk 2 k + (0 or 1) of one row of every 16. For every row,
/// chunk 2 k + c is the lane's swizzled chunk c XOR the bits of 2 k, so a step costs one
/// instruction and no register.
template <int kDim>
struct LaneAddress {
  using L = Layout<kDim>;
  // `row` is a shared address. `chunk` is in bytes and swizzled; where rows are aligned to powers
  // of two, `row` already contains it.
  uint32_t row, chunk;

  __device__ __forceinline__ LaneAddress(uint32_t tile, int lane_row, int lane_chunk) {
    chunk = 16 * static_cast<uint32_t>(swizzled_chunk(lane_chunk, lane_row, L::kChunks));
    row = tile + static_cast<uint32_t>(lane_row * L::kRowBytes);
    if constexpr (kAligned) row += chunk;
  }
  /// Chunk 2 k of row 16 n + lane_row.
  __device__ __forceinline__ uint32_t at(int n, int k) const {
    const uint32_t rows = static_cast<uint32_t>(n * 16 * L::kRowBytes),
                   bits = 32 * static_cast<uint32_t>(k);
    if constexpr (kAligned) return (row ^ bits) + rows;
    return row + (chunk ^ bits) + rows;
  }

 private:
  static constexpr bool kAligned = (L::kRowBytes & (L::kRowBytes - 1)) == 0;
};

/// Copies kRows rows of kDim elements into shared memory; rows from `count` on become zeros.
template <class T, int kDim, int kRows>
__device__ __forceinline__ void load_rows(uint32_t tile, const T* rows, int64_t stride, int count) {
  using L = Layout<kDim>;
  static_assert(kRows * L::kChunks % kThreads == 0);
#pragma unroll 2  // registers for more addresses do not fit beside the outputs
  for (int i = 0; i < kRows * L::kChunks / kThreads; ++i) {
    const int at = i * kThreads + static_cast<int>(threadIdx.x);
    const int row = at / L::kChunks, chunk = at % L::kChunks;
    const bool valid = row < count;
    const T* from = rows + (valid ? row * stride : 0) + chunk * 8;
    cp_async_16_or_zero(tile + L::at(row, chunk), from, valid);
  }
}

template <int kRowTiles>
using Scores = float[kRowTiles][kKeyBlock / 8][4];

/// scores = Q K^T, for the rows of the warp and a block of keys.
template <class T, int kDim>
__device__ __forceinline__ void multiply_keys(uint32_t queries, uint32_t keys, int lane,
                                              Scores<Layout<kDim>::kRowTiles>& scores) {
  using L = Layout<kDim>;
  const LaneAddress<kDim> q(queries, lane % 16, lane / 16);
  const LaneAddress<kDim> k(keys, lane / 16 * 8 + lane % 8, lane / 8 % 2);
#pragma unroll
  for (int m = 0; m < L::kRowTiles; ++m) {
#pragma unroll
    for (int n = 0; n < kKeyBlock / 8; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) scores[m][n][i] = 0;
    }
  }
#pragma unroll
  for (int step = 0; step < kDim / 16; ++step) {
    uint32_t a[L::kRowTiles][4];
#pragma unroll
    for (int m = 0; m < L::kRowTiles; ++m) {
      ldmatrix_x4(a[m], q.at(m, step));
    }
#pragma unroll
    for (int n = 0; n < kKeyBlock / 16; ++n) {
      uint32_t b[4];
      ldmatrix_x4(b, k.at(n, step));
#pragma unroll
      for (int m = 0; m < L::kRowTiles; ++m) {
        mma_m16n8k16<T>(scores[m][2 * n], a[m], b[0], b[1]);
        mma_m16n8k16<T>(scores[m][2 * n + 1], a[m], b[2], b[3]);
      }
    }
  }
}

/// out += weights . V. Accumulators of weights become A fragments when they are packed.
template <class T, int kDim>
__device__ __forceinline__ void multiply_values(
    const Scores<Layout<kDim>::kRowTiles>& weights, uint32_t values, int lane,
    float (&out)[Layout<kDim>::kRowTiles][kDim / 8][4]) {
  using L = Layout<kDim>;
  const LaneAddress<kDim> v(values, lane % 16, lane / 16);
#pragma unroll
  for (int step = 0; step < kKeyBlock / 16; ++step) {
    uint32_t a[L::kRowTiles][4];
#pragma unroll
    for (int m = 0; m < L::kRowTiles; ++m) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float* pair = &weights[m][2 * step + i / 2][i % 2 * 2];
        a[m][i] = pack_pair<T>(pair[0], pair[1]);
      }
    }
#pragma unroll
    for (int n = 0; n < kDim / 16; ++n) {
      uint32_t b[4];
      ldmatrix_x4_trans(b, v.at(step, n));
#pragma unroll
      for (int m = 0; m < L::kRowTiles; ++m) {
        mma_m16n8k16<T>(out[m][2 * n], a[m], b[0], b[1]);
        mma_m16n8k16<T>(out[m][2 * n + 1], a[m], b[2], b[3]);
      }
    }
  }
}

/// Hides keys from rows that do not see them. `row` is the position of the thread's first row.
template <int kRowTiles>
__device__ __forceinline__ void mask_scores(const PrefillItem& item, int32_t block, int32_t row,
                                            int lane, Scores<kRowTiles>& scores) {
  const int32_t start = item.block_position(block);
  const int32_t reach = block < item.sink_blocks ? kUnlimitedWindow : item.mask.window;
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m) {
#pragma unroll
    for (int n = 0; n < kKeyBlock / 8; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int32_t distance = row + 16 * m + i / 2 * 8 - (start + 8 * n + lane % 4 * 2 + i % 2);
        if (distance < 0 || distance >= reach) scores[m][n][i] = -INFINITY;
      }
    }
  }
}

/// Turns the scores of one tile of 16 rows into weights. When a maximum rises, the outputs so far
/// are scaled down.
template <int kTiles>
__device__ __forceinline__ void softmax_step(float (&scores)[kKeyBlock / 8][4], float c,
                                             SoftmaxRows& rows, float (&out)[kTiles][4]) {
  float largest[2] = {-INFINITY, -INFINITY}, shrink[2];
#pragma unroll
  for (int n = 0; n < kKeyBlock / 8; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) largest[i / 2] = fmaxf(largest[i / 2], scores[n][i]);
  }
  if (rows.raise(largest, c, shrink)) {
#pragma unroll
    for (int n = 0; n < kTiles; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) out[n][i] *= shrink[i / 2];
    }
  }
  const float base[2] = {rows.base(0, c), rows.base(1, c)};
#pragma unroll
  for (int n = 0; n < kKeyBlock / 8; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      scores[n][i] = exp2_approximate(fmaf(scores[n][i], c, -base[i / 2]));
      rows.sum[i / 2] += scores[n][i];
    }
  }
}

/// Divides by the sums and stores whole 16-byte chunks. The rows pass through the warp's own part
/// of the shared memory of the queries, which no other warp reads.
template <class T, int kDim>
__device__ __forceinline__ void store_rows(const PrefillArguments& a, const PrefillItem& item,
                                           const SoftmaxRows* rows, float c, int first, char* stage,
                                           int lane,
                                           float (&out)[Layout<kDim>::kRowTiles][kDim / 8][4]) {
  using L = Layout<kDim>;
#pragma unroll
  for (int m = 0; m < L::kRowTiles; ++m) {
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const int row = 16 * m + 8 * r + lane / 4;
      const float total = quad_sum(rows[m].sum[r]), inverse = __fdividef(1.0f, total);
#pragma unroll
      for (int n = 0; n < kDim / 8; ++n) {
        const uint32_t pair =
            pack_pair<T>(out[m][n][2 * r] * inverse, out[m][n][2 * r + 1] * inverse);
        *reinterpret_cast<uint32_t*>(stage + L::at(row, n) + lane % 4 * 4) = pair;
      }
      if (a.log_sum_exp != nullptr && lane % 4 == 0 && first + row < item.rows) {
        a.log_sum_exp[(item.row + first + row) * a.log_sum_exp_stride + item.head] =
            rows[m].log_sum_exp(r, c, total);
      }
    }
  }
  __syncwarp();
  T* to = static_cast<T*>(a.out) + (int64_t{item.row} + first) * a.out_stride +
          int64_t{item.head} * kDim;
#pragma unroll 4
  for (int at = lane; at < L::kWarpRows * L::kChunks; at += 32) {
    const int row = at / L::kChunks, chunk = at % L::kChunks;
    if (first + row >= item.rows) break;
    *reinterpret_cast<uint4*>(to + row * a.out_stride + chunk * 8) =
        *reinterpret_cast<const uint4*>(stage + L::at(row, chunk));
  }
}

/// Grid: one thread block per item, the costliest first.
template <class T, int kDim>
__global__ void __launch_bounds__(kThreads) attention_prefill_mma_kernel(PrefillArguments a) {
  using L = Layout<kDim>;
  // LaneAddress needs tiles that are aligned to whole rows
  extern __shared__ __align__(1024) char shared[];
  const uint32_t queries = shared_address(shared);
  const uint32_t tiles = queries + L::kQueryBytes;  // per stage: keys, values
  // The item is read from shared memory whenever it is needed, because outputs and scores leave no
  // registers for it.
  PrefillItem& item = *reinterpret_cast<PrefillItem*>(shared + L::kItemAt);
  if (threadIdx.x == 0) item = a.items[blockIdx.x];
  __syncthreads();
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const float c = a.scale * kPrefillLog2E;

  const T* q = static_cast<const T*>(a.q) + item.row * a.q_stride + int64_t{item.head} * kDim;
  load_rows<T, kDim, L::kRows>(queries, q, a.q_stride, item.rows);
  // Each block has two groups of copies: keys, then values. Past the last block the groups are
  // empty.
  const auto load_block = [&](int32_t block) {
    const uint32_t stage = tiles + block % kStages * (2 * L::kTileBytes);
    const int64_t row = item.block_row(block), column = int64_t{item.key_head} * kDim;
    const int count = item.block_keys(block);
    if (block < item.blocks) {
      load_rows<T, kDim, kKeyBlock>(
          stage, static_cast<const T*>(a.keys) + row * a.key_stride + column, a.key_stride, count);
    }
    cp_async_commit();
    if (block < item.blocks) {
      load_rows<T, kDim, kKeyBlock>(stage + L::kTileBytes,
                                    static_cast<const T*>(a.values) + row * a.value_stride + column,
                                    a.value_stride, count);
    }
    cp_async_commit();
  };
  load_block(0);  // the queries are part of the first group

  const int first = warp * L::kWarpRows;
  const int32_t position = item.position + first;
  SoftmaxRows rows[L::kRowTiles];
  float out[L::kRowTiles][kDim / 8][4] = {};
  for (int32_t block = 0; block < item.blocks; ++block) {
    const uint32_t stage = tiles + block % kStages * (2 * L::kTileBytes);
    const int32_t start = item.block_position(block);
    // A warp in which no row sees the block only helps to copy.
    const bool seen =
        first < item.rows && start < position + L::kWarpRows &&
        (block < item.sink_blocks || position - (start + kKeyBlock - 1) < item.mask.window);
    cp_async_wait<1>();  // this warp's copies of the keys have arrived
    __syncthreads();     // all warps' copies have, and no warp reads the other stage
    load_block(block + 1);
    Scores<L::kRowTiles> scores;
    if (seen) {
      multiply_keys<T, kDim>(queries + first * L::kRowBytes, stage, lane, scores);
      if (!item.block_whole(block, position, L::kWarpRows)) {
        mask_scores<L::kRowTiles>(item, block, position + lane / 4, lane, scores);
      }
#pragma unroll
      for (int m = 0; m < L::kRowTiles; ++m) softmax_step(scores[m], c, rows[m], out[m]);
    }
    cp_async_wait<2>();  // this warp's copies of the values have arrived
    __syncthreads();
    if (seen) multiply_values<T, kDim>(scores, stage + L::kTileBytes, lane, out);
  }
  store_rows<T, kDim>(a, item, rows, c, first, shared + first * L::kRowBytes, lane, out);
}

template <class T, int kDim>
void launch(Context& context, const PrefillArguments& a) {
  using L = Layout<kDim>;
  MOA_CUDA_CHECK(cudaFuncSetAttribute(attention_prefill_mma_kernel<T, kDim>,
                                      cudaFuncAttributeMaxDynamicSharedMemorySize,
                                      L::kSharedBytes));
  attention_prefill_mma_kernel<T, kDim>
      <<<static_cast<unsigned>(a.item_count), kThreads, L::kSharedBytes, context.stream>>>(a);
  MOA_CUDA_CHECK_LAUNCH();
}

}  // namespace

void prefill_mma(Context& context, const PrefillArguments& a) {
  with_half_type(a.dtype, "attentionPrefill.q", [&]<class T>() {
    switch (a.head_dim) {
      case 32:
        return launch<T, 32>(context, a);
      case 64:
        return launch<T, 64>(context, a);
      case 96:
        return launch<T, 96>(context, a);
      case 128:
        return launch<T, 128>(context, a);
      case 256:
        return launch<T, 256>(context, a);
      default:
        throw Error(ErrorCode::kInternal,
                    "Expected head dim 32, 64, 96, 128 or 256 for prefill_mma");
    }
  });
}

}  // namespace moa::cuda
