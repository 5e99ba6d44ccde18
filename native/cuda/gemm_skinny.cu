// GEMM of up to 16 rows (decode steps): a stream of b through shared memory, as long as memory
// allows.
//
// Operands are swapped: rows of b are the m of mma.m16n8k16 and rows of a (tokens) its n, so that
// one token costs what eight do. Each warp has a ring of stages of its own, 16 rows of b by 128 of
// K, filled by cp.async in whole lines; between warps there is a barrier per piece only
// (gemm_split.h), across which the rings keep filling.
//
// The sum over K is free to choose its order: lane 4 g + t reads 16 bytes of row g, k = 8 t..., of
// every 32 of K, where mma has k = 2 t, 2 t + 1, 2 t + 8, 2 t + 9 of 16. Operands a and b agree, so
// fragments need no ldmatrix, and those of a come from L1 with one load for two products.
#include <algorithm>
#include <limits>

#include "cuda/dependent_launch.cuh"
#include "cuda/element.h"
#include "cuda/gemm_skinny.h"
#include "cuda/gemm_split.h"
#include "cuda/mma.cuh"
#include "cuda/ticket.cuh"

namespace moa::cuda {

namespace {

constexpr int kWarps = 8;
constexpr int kThreads = 32 * kWarps;
constexpr int kWarpRows = 16;               // of b: the m of mma
constexpr int kSlab = 128;                  // of K in a stage
constexpr int kChunk = 8;                   // elements of 16 bytes
constexpr int kRowChunks = kSlab / kChunk;  // of a stage's row, one a lane
constexpr int kCopyRows = 32 / kRowChunks;  // rows that a warp copies at once
constexpr int kRowBytes = kSlab * 2;        // of a stage
constexpr int kStageBytes = kWarpRows * kRowBytes;
constexpr int kDepth = 32;  // of K that a quad reads at once
// An SM needs some 36 KB in flight (4.7 TB/s * 1 us / 132). Rings hold 128 KB, of which merges may
// let half run dry.
constexpr int kStages = 4;
constexpr int kRingBytes = kWarps * kStages * kStageBytes;
constexpr int kPadding = 4;  // floats behind a token's sums: quads write to banks of their own
constexpr int kMaxRows = kWarps * kWarpRows;
constexpr int kTile = 8;  // tokens: the n of mma
constexpr int kMaxTokens = 2 * kTile;
static_assert(kCopyRows == 2, "copy_offset() takes the row of a lane for its parity");

struct GemmSkinnyParams {
  const void* a;      // [M, K]
  const void* b;      // [N, K]
  void* out;          // [M, N]
  const void* bias;   // [N] or null
  float* partials;    // [2 * ctas, tokens, rows of a block]
  uint32_t* tickets;  // [ctas], zero between launches
  int64_t a_stride, b_stride, out_stride;
  int32_t m, n, k;
  GemmSplit split;
  DType out_dtype, bias_dtype;
  bool accumulate;
};

/// What a kernel does of a block: kRowWarps warps side by side along the rows of b, the others
/// along K, whose sums are added in shared memory. One row of warps makes the smallest blocks, of
/// which the fewest are shared, but reads a once per 16 rows of b.
template <int kTiles, int kRowWarps>
struct SkinnyShape {
  static constexpr int kDepthWarps = kWarps / kRowWarps;
  static constexpr int kRows = kRowWarps * kWarpRows;  // of a block
  static constexpr int kTokens = kTiles * kTile;
  static constexpr int kPitch = kRows + kPadding;
  static constexpr int kSums = kDepthWarps * kTokens * kPitch;  // floats
  // Twice the sums: those of a piece are read while warps write the next one's.
  static constexpr int kSharedBytes = kRingBytes + 2 * kSums * static_cast<int>(sizeof(float)) + 16;
};

/// The copies of a warp: rows [first_row, first_row + 16) of every block.
template <class T>
struct WeightStream {
  const T* b;
  int64_t stride;
  int32_t n, k, slabs;
  int32_t block_rows, first_row;

  /// Into a stage at shared address `stage`.
  __device__ __forceinline__ void copy(int32_t slab, uint32_t stage) const {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const int lane_row = lane / kRowChunks, chunk = lane % kRowChunks;
    const int32_t block = slab / slabs;
    const int32_t at = (slab - block * slabs) * kSlab + chunk * kChunk;
    const int32_t row = block * block_rows + first_row + lane_row;
    const T* from = b + row * stride + at;
    // Chunks of odd rows change places by four: a quad reads four chunks of row g, the next quad of
    // row g + 1.
    const uint32_t to =
        stage + static_cast<uint32_t>(lane_row * kRowBytes + (chunk ^ (lane_row << 2)) * 16);
#pragma unroll
    for (int i = 0; i < kWarpRows / kCopyRows; ++i) {
      const bool valid = at < k && row + i * kCopyRows < n;
      cp_async_16_or_zero(to + i * kCopyRows * kRowBytes, from + i * kCopyRows * stride, valid);
    }
  }
  /// The same rows, a line a lane, into L2.
  __device__ __forceinline__ void prefetch(int32_t slab) const {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const int32_t block = slab / slabs;
    const int32_t at = (slab - block * slabs) * kSlab + lane % 2 * (kSlab / 2);
    const int32_t row = block * block_rows + first_row + lane / 2;
    if (at < k && row < n) prefetch_l2(b + row * stride + at);
  }
};

/// Chunk j of a quad, 32 of K each, of row g of a stage.
__device__ __forceinline__ uint4 load_chunk(const unsigned char* stage, int row, int t, int j) {
  return *reinterpret_cast<const uint4*>(stage + row * kRowBytes + (j ^ (row & 1)) * kDepth * 2 +
                                         t * 16);
}

/// Sums of a warp, [16 rows of b, tokens]; two for each tile, to have twice the products under way.
template <int kTiles>
struct SkinnySums {
  float c[kTiles][2][4];

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int i = 0; i < kTiles * 8; ++i) c[i / 8][i / 4 % 2][i % 4] = 0;
  }
  /// To sums[token][row].
  __device__ __forceinline__ void store(float* sums, int pitch) const {
    const int g = static_cast<int>(threadIdx.x) % 32 / 4, t = static_cast<int>(threadIdx.x) % 4;
#pragma unroll
    for (int i = 0; i < kTiles; ++i) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int token = i * kTile + 2 * t + e % 2;
        sums[token * pitch + g + e / 2 * 8] = c[i][0][e] + c[i][1][e];
      }
    }
  }
};

/// Chunks of a for one slab: token g of each tile, zeros outside.
template <class T, int kTiles>
struct TokenChunks {
  uint4 x[kTiles][kSlab / kDepth];

  __device__ __forceinline__ void load(const GemmSkinnyParams& p, int32_t slab) {
    const int g = static_cast<int>(threadIdx.x) % 32 / 4, t = static_cast<int>(threadIdx.x) % 4;
    const int32_t at = slab % p.split.slabs * kSlab + t * kChunk;
#pragma unroll
    for (int i = 0; i < kTiles; ++i) {
      const int token = i * kTile + g;
      const T* from = static_cast<const T*>(p.a) + token * p.a_stride + at;
#pragma unroll
      for (int j = 0; j < kSlab / kDepth; ++j) {
        x[i][j] = uint4{0, 0, 0, 0};
        if (token < p.m && at + j * kDepth < p.k)
          x[i][j] = *reinterpret_cast<const uint4*>(from + j * kDepth);
      }
    }
  }
};

template <class T, int kTiles>
__device__ __forceinline__ void multiply(const unsigned char* stage,
                                         const TokenChunks<T, kTiles>& tokens,
                                         SkinnySums<kTiles>& sums) {
  const int g = static_cast<int>(threadIdx.x) % 32 / 4, t = static_cast<int>(threadIdx.x) % 4;
#pragma unroll
  for (int j = 0; j < kSlab / kDepth; ++j) {
    const uint4 upper = load_chunk(stage, g, t, j), lower = load_chunk(stage, g + 8, t, j);
    const uint32_t first[4] = {upper.x, lower.x, upper.y, lower.y};
    const uint32_t second[4] = {upper.z, lower.z, upper.w, lower.w};
#pragma unroll
    for (int i = 0; i < kTiles; ++i) {
      const uint4 x = tokens.x[i][j];
      mma_m16n8k16<T>(sums.c[i][0], first, x.x, x.y);
      mma_m16n8k16<T>(sums.c[i][1], second, x.z, x.w);
    }
  }
}

template <class T>
__device__ __forceinline__ void write_out(const GemmSkinnyParams& p, int32_t token, int32_t n,
                                          float sum) {
  if (n >= p.n) return;
  const int64_t index = token * p.out_stride + n;
  if (p.bias != nullptr) sum += load_element(p.bias, p.bias_dtype, n);
  if (p.accumulate) sum += load_element(p.out, p.out_dtype, index);
  if (p.out_dtype == DType::kF32) {
    static_cast<float*>(p.out)[index] = sum;
  } else {
    static_cast<T*>(p.out)[index] = from_float<T>(sum);
  }
}

/// After all warps stored their sums of a piece of `block`: out, or a partial sum, and out if all
/// others are there.
template <class T, class Shape>
__device__ __forceinline__ void finish_piece(const GemmSkinnyParams& p, int32_t block,
                                             const float* sums, int32_t* flag) {
  const auto cta = static_cast<int32_t>(blockIdx.x);
  const GemmSharers sharers(p.split, block);
  const bool alone = sharers.count() == 1;
  const auto partial = [&](int32_t slot) {
    return p.partials + static_cast<int64_t>(slot) * Shape::kTokens * Shape::kRows;
  };
  const int32_t count = p.m * Shape::kRows;
  for (int32_t i = static_cast<int32_t>(threadIdx.x); i < count; i += kThreads) {
    const int32_t token = i / Shape::kRows, row = i % Shape::kRows;
    float sum = 0;
#pragma unroll
    for (int w = 0; w < Shape::kDepthWarps; ++w)
      sum += sums[(w * Shape::kTokens + token) * Shape::kPitch + row];
    if (alone) {
      write_out<T>(p, token, block * Shape::kRows + row, sum);
    } else {
      partial(sharers.slot(cta))[i] = sum;
    }
  }
  if (alone || !arrive_last<kThreads>(p.tickets + sharers.first, sharers.count(), flag)) return;
  for (int32_t i = static_cast<int32_t>(threadIdx.x); i < count; i += kThreads) {
    float sum = 0;
#pragma unroll 4
    for (int32_t c = sharers.first; c <= sharers.last; ++c)
      sum += __ldcg(partial(sharers.slot(c)) + i);
    write_out<T>(p, i / Shape::kRows, block * Shape::kRows + i % Shape::kRows, sum);
  }
}

template <class T, int kTiles, int kRowWarps>
__global__ void __launch_bounds__(kThreads) gemm_skinny_mma_kernel(const GemmSkinnyParams p) {
  using Shape = SkinnyShape<kTiles, kRowWarps>;
  extern __shared__ __align__(128) unsigned char shared[];
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int row_warp = warp % kRowWarps, depth_warp = warp / kRowWarps;
  const unsigned char* ring = shared + warp * kStages * kStageBytes;
  const uint32_t ring_address = shared_address(ring);
  float* all_sums = reinterpret_cast<float*>(shared + kRingBytes);
  int32_t* flag = reinterpret_cast<int32_t*>(all_sums + 2 * Shape::kSums);

  const GemmRange range(p.split, static_cast<int32_t>(blockIdx.x));
  const WeightStream<T> weights{
      static_cast<const T*>(p.b), p.b_stride, p.n, p.k, p.split.slabs, Shape::kRows,
      row_warp * kWarpRows};
#pragma unroll
  for (int s = 0; s < kStages; ++s) {
    const int32_t position = depth_warp + s * Shape::kDepthWarps;
    if (position < range.count) weights.prefetch(range.slab_at(position));
  }
  wait_for_previous_kernels();
  allow_next_kernel();

  int32_t ahead = depth_warp;  // position of the next slab to copy
  const auto copy_next = [&](int stage) {
    if (ahead < range.count) weights.copy(range.slab_at(ahead), ring_address + stage * kStageBytes);
    cp_async_commit();
    ahead += Shape::kDepthWarps;
  };
#pragma unroll
  for (int s = 0; s < kStages - 1; ++s) copy_next(s);

  int stage = 0;
  int32_t position = depth_warp;
  float* sums = all_sums;
  for (int32_t start = 0; start < range.count;) {
    const int32_t end = range.piece_end(start);
    SkinnySums<kTiles> mine;
    mine.clear();
    for (; position < end; position += Shape::kDepthWarps) {
      TokenChunks<T, kTiles> tokens;
      tokens.load(p, range.slab_at(position));
      cp_async_wait<kStages - 2>();
      __syncwarp();  // all lanes' copies have come, and all have read the stage before
      copy_next(stage == 0 ? kStages - 1 : stage - 1);
      multiply(ring + stage * kStageBytes, tokens, mine);
      stage = stage + 1 == kStages ? 0 : stage + 1;
    }
    mine.store(sums + depth_warp * Shape::kTokens * Shape::kPitch + row_warp * kWarpRows,
               Shape::kPitch);
    named_barrier_sync<kThreads>();
    finish_piece<T, Shape>(p, range.slab_at(start) / p.split.slabs, sums, flag);
    sums = sums == all_sums ? all_sums + Shape::kSums : all_sums;
    start = end;
  }
}

// L1 beside the rings has some 90 KB: up to here a stays in it.
constexpr int64_t kResidentBytes = 64 * 1024;
// Slabs that a CTA does at least: enough for each warp, or 128 KB.
constexpr int32_t kMinShareOne = kWarps, kMinShareAll = 4;

template <class T, int kTiles, int kRowWarps>
void launch(Context& context, const GemmParams& params) {
  using Shape = SkinnyShape<kTiles, kRowWarps>;
  const int32_t ctas = context.multiprocessors();
  GemmSkinnyParams p{};
  p.a = params.a.data, p.b = params.b.data, p.out = params.out.data, p.bias = params.bias.data;
  p.m = static_cast<int32_t>(params.out.rows());
  p.n = static_cast<int32_t>(params.out.row_size());
  p.k = static_cast<int32_t>(params.a.row_size());
  p.a_stride = params.a.row_stride, p.b_stride = params.b.row_stride;
  p.out_stride = params.out.row_stride;
  p.out_dtype = params.out.dtype, p.bias_dtype = params.bias.dtype;
  p.accumulate = params.accumulate;
  p.split = gemm_split((p.n + Shape::kRows - 1) / Shape::kRows, (p.k + kSlab - 1) / kSlab, ctas,
                       kRowWarps == 1 ? kMinShareOne : kMinShareAll);
  // Of the largest size at once: what a graph captured must not move.
  p.partials =
      context.scratch_of<float>(Scratch::kGemmPartials, int64_t{2} * ctas * kMaxTokens * kMaxRows);
  p.tickets = context.scratch_of<uint32_t>(Scratch::kGemmTickets, ctas);
  const auto kernel = gemm_skinny_mma_kernel<T, kTiles, kRowWarps>;
  MOA_CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                      Shape::kSharedBytes));
  launch_overlapping(context, kernel, static_cast<unsigned>(p.split.ctas), kThreads,
                     Shape::kSharedBytes, p);
  MOA_CUDA_CHECK_LAUNCH();
}

bool readable_in_chunks(const TensorRef& x) {
  return reinterpret_cast<uintptr_t>(x.data) % 16 == 0 &&
         (x.rows() <= 1 || x.row_stride % kChunk == 0);
}

}  // namespace

bool gemm_skinny_takes(const Context& context, const GemmParams& params) {
  const int64_t m = params.out.rows(), n = params.out.row_size(), k = params.a.row_size();
  const DType dtype = params.a.dtype;
  const int64_t slabs = (n / kWarpRows + 1) * (k / kSlab + 1);
  return m >= 1 && m <= kMaxTokens && k >= kChunk && k % kChunk == 0 && params.transpose_b &&
         is_half(dtype) && params.b.dtype == dtype &&
         (params.out.dtype == dtype || params.out.dtype == DType::kF32) &&
         readable_in_chunks(params.a) && readable_in_chunks(params.b) &&
         slabs < std::numeric_limits<int32_t>::max() / 2 &&
         n < std::numeric_limits<int32_t>::max() - kMaxRows &&
         k < std::numeric_limits<int32_t>::max() - kSlab &&
         context.properties.sharedMemPerBlockOptin >=
             static_cast<size_t>(SkinnyShape<2, kWarps>::kSharedBytes);
}

void gemm_skinny(Context& context, const GemmParams& params) {
  const int64_t m = params.out.rows();
  const bool resident = m * params.a.row_size() * 2 <= kResidentBytes;
  with_half_type(params.a.dtype, "a", [&]<class T>() {
    if (m > kTile) {
      launch<T, 2, kWarps>(context, params);
    } else if (resident) {
      launch<T, 1, 1>(context, params);
    } else {
      launch<T, 1, kWarps>(context, params);
    }
  });
}

}  // namespace moa::cuda
