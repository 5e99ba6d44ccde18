// q, out, gradOut [T, H, D], k, v [T, Hkv, D], logSumExp [T, H] -> gradQ [T, H, D], gradK, gradV
// [T, Hkv, D]: backward pass of attention on tensor cores (mma.sync, sm_80 and later). The weights
// are recomputed from logSumExp (FlashAttention-2, Dao 2023, section 2.3.2):
//   P = 2^(S - L), G = gradOut . v, dS = P (G - delta), gradQ = scale dS K, gradK = scale dS^T Q,
//   gradV = P^T gradOut,
// where L is logSumExp in log2 units and delta = gradOut . out. One kernel goes by query rows and
// computes gradQ; another goes by keys and computes gradK and gradV. This takes 7 products instead
// of 5, but every output has one writer, so sums need no atomics and are the same in every run. A
// step is 32 keys (or rows): 64 sums of S and G and 128 of the outputs just fit the registers of
// two thread blocks of 128 threads per multiprocessor.
// Measured: reports/cuda/2026-11-24-h200
#include "cuda/gradient/mma.cuh"

namespace moa::cuda {
namespace {

constexpr int kStep = 32;  // keys, or query rows, per pipeline stage
constexpr int kStages = 3;
// Query rows per thread block: 32 per warp, so that one fragment of k or v feeds two row tiles.
constexpr int kQueryRows = 128;
// Keys per thread block: 16 per warp, which has the sums of both gradK and gradV.
constexpr int kKeyRows = 64;

template <class T>
struct BackwardParams {
  AttentionInputs<T> in;
  HeadRows<T> grad_q, grad_k, grad_v;  // [T, H, D], [T, Hkv, D] twice
  SegmentBlocks segments;
};

template <int D>
constexpr int query_shared_bytes() {
  return 2 * MmaTile<D>::bytes(kQueryRows) + kStages * 2 * MmaTile<D>::bytes(kStep);
}
template <int D>
constexpr int key_shared_bytes() {
  return 2 * MmaTile<D>::bytes(kKeyRows) +
         kStages * (2 * MmaTile<D>::bytes(kStep) + kStep * static_cast<int>(sizeof(float2)));
}

/// A warp with 32 query rows, which takes 32 keys per step.
template <class T, int D>
struct QueryWarp {
  using Tile = MmaTile<D>;

  uint32_t q, grad_out;  // addresses of the warp's rows, at this lane's fragment
  int32_t first_row;     // of the segment
  // In shared memory: (L, delta) of row g. Read in every step, because there are no registers left.
  const float2* row_sums;
  float sums[2][D / 8][4] = {};

  /// sums[row tile][n-tile] = rows . tile rows
  static __device__ __forceinline__ void multiply(uint32_t rows, uint32_t tile,
                                                  float (&sums)[2][kStep / 8][4]) {
    const uint32_t columns = tile + Tile::column_fragment();
#pragma unroll
    for (int k = 0; k < Tile::kSteps; ++k) {
      uint32_t a[2][4], b[kStep / 16][4];
#pragma unroll
      for (int m = 0; m < 2; ++m) ldmatrix_x4(a[m], Tile::at_step(rows + m * Tile::bytes(16), k));
#pragma unroll
      for (int n = 0; n < kStep / 16; ++n)
        ldmatrix_x4(b[n], Tile::at_step(columns + n * Tile::bytes(16), k));
#pragma unroll
      for (int m = 0; m < 2; ++m) {
#pragma unroll
        for (int n = 0; n < kStep / 8; ++n)
          mma_m16n8k16<T>(sums[m][n], a[m], b[n / 2][n % 2 * 2], b[n / 2][n % 2 * 2 + 1]);
      }
    }
  }

  __device__ __forceinline__ void add_step(uint32_t k_tile, uint32_t v_tile, int32_t first_key,
                                           float to_log2) {
    float s[2][kStep / 8][4] = {}, gradients[2][kStep / 8][4] = {};
    multiply(q, k_tile, s);
    multiply(grad_out, v_tile, gradients);
    const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
    const bool diagonal = first_key == first_row;  // both are multiples of 32
#pragma unroll
    for (int m = 0; m < 2; ++m) {
#pragma unroll
      for (int n = 0; n < kStep / 8; ++n) {
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          const int i = m * 2 + e / 2;
          const float log2_sum = row_sums[8 * i].x, delta = row_sums[8 * i].y;
          float p = exp2_approximate(fmaf(s[m][n][e], to_log2, -log2_sum));
          if (diagonal && n * 8 + 2 * t + e % 2 > 8 * i + g) p = 0;
          s[m][n][e] = p * (gradients[m][n][e] - delta);
        }
      }
    }
    const uint32_t keys = k_tile + Tile::row_fragment();
#pragma unroll
    for (int k = 0; k < kStep / 16; ++k) {
      uint32_t a[2][4];
#pragma unroll
      for (int m = 0; m < 2; ++m) sums_to_operand<T>(s[m][2 * k], s[m][2 * k + 1], a[m]);
#pragma unroll
      for (int n = 0; n < D / 16; ++n) {
        uint32_t b[4];
        ldmatrix_x4_trans(b, Tile::at_step(keys + k * Tile::bytes(16), n));
#pragma unroll
        for (int m = 0; m < 2; ++m) {
          mma_m16n8k16<T>(sums[m][2 * n], a[m], b[0], b[1]);
          mma_m16n8k16<T>(sums[m][2 * n + 1], a[m], b[2], b[3]);
        }
      }
    }
  }
};

template <class T, int D>
__global__ void __launch_bounds__(kMmaThreads, 2)
    attention_backward_queries_mma_kernel(const __grid_constant__ BackwardParams<T> p) {
  using Tile = MmaTile<D>;
  __shared__ float2 row_sums[kQueryRows];
  extern __shared__ __align__(1024) uint8_t shared[];
  const AttentionInputs<T>& in = p.in;
  const auto head = static_cast<int32_t>(blockIdx.x % in.heads);
  const SegmentBlock at = find_block(p.segments, static_cast<int32_t>(blockIdx.x / in.heads));
  const int32_t first_row = (at.blocks - 1 - at.block) * kQueryRows;  // the longest first
  const int64_t column = static_cast<int64_t>(head) * D,
                key_column = static_cast<int64_t>(head / in.group) * D;
  const uint32_t q = shared_address(shared), grad_out = q + Tile::bytes(kQueryRows),
                 stages = grad_out + Tile::bytes(kQueryRows);
  const int32_t steps = (min(first_row + kQueryRows, at.row_count) + kStep - 1) / kStep;
  const auto load = [&](int32_t step) {
    if (step < steps) {
      const uint32_t stage = stages + step % kStages * 2 * Tile::bytes(kStep);
      Tile::template load<kStep>(stage, in.k, at.row_start, step * kStep, at.row_count, key_column);
      Tile::template load<kStep>(stage + Tile::bytes(kStep), in.v, at.row_start, step * kStep,
                                 at.row_count, key_column);
    }
    cp_async_commit();
  };
  Tile::template load<kQueryRows>(q, in.q, at.row_start, first_row, at.row_count, column);
  Tile::template load<kQueryRows>(grad_out, in.grad_out, at.row_start, first_row, at.row_count,
                                  column);
  const int32_t row = first_row + static_cast<int32_t>(threadIdx.x);
  row_sums[threadIdx.x] =
      row < at.row_count ? in.rows[head * in.tokens + at.row_start + row] : make_float2(0, 0);
  load(0);
  load(1);
  const int warp_row = static_cast<int>(threadIdx.x / 32) * 32;
  QueryWarp<T, D> warp;
  warp.q = q + Tile::bytes(1) * warp_row + Tile::row_fragment();
  warp.grad_out = grad_out + Tile::bytes(1) * warp_row + Tile::row_fragment();
  warp.first_row = first_row + warp_row;
  warp.row_sums = row_sums + warp_row + threadIdx.x % 32 / 4;
  for (int32_t step = 0; step < steps; ++step) {
    cp_async_wait<1>();
    // Afterwards the data of this step is there, and all warps have read the step before, whose
    // stage is loaded next.
    __syncthreads();
    load(step + 2);
    const uint32_t stage = stages + step % kStages * 2 * Tile::bytes(kStep);
    if (step * kStep <= warp.first_row)
      warp.add_step(stage, stage + Tile::bytes(kStep), step * kStep, in.to_log2);
  }
#pragma unroll
  for (int m = 0; m < 2; ++m) {
    store_sums<T, D>(p.grad_q, at.row_start, warp.first_row + 16 * m, at.row_count, column,
                     in.scale, warp.sums[m]);
  }
}

/// A warp with 16 keys, which takes 32 query rows per step.
template <class T, int D>
struct KeyWarp {
  using Tile = MmaTile<D>;

  uint32_t v;         // address of the warp's values, at this lane's fragment
  int32_t first_key;  // of the segment
  uint32_t k[Tile::kSteps][4];
  float key_sums[D / 8][4] = {}, value_sums[D / 8][4] = {};

  __device__ __forceinline__ void load_keys(uint32_t keys) {
#pragma unroll
    for (int i = 0; i < Tile::kSteps; ++i) ldmatrix_x4(k[i], Tile::at_step(keys, i));
  }

  static __device__ __forceinline__ void multiply_step(const uint32_t (&a)[4], uint32_t columns,
                                                       int k, float (&sums)[kStep / 8][4]) {
#pragma unroll
    for (int n = 0; n < kStep / 16; ++n) {
      uint32_t b[4];
      ldmatrix_x4(b, Tile::at_step(columns + n * Tile::bytes(16), k));
      mma_m16n8k16<T>(sums[2 * n], a, b[0], b[1]);
      mma_m16n8k16<T>(sums[2 * n + 1], a, b[2], b[3]);
    }
  }

  /// sums += weights . tile rows
  static __device__ __forceinline__ void add_products(const float (&weights)[kStep / 8][4],
                                                      uint32_t tile, float (&sums)[D / 8][4]) {
    const uint32_t rows = tile + Tile::row_fragment();
#pragma unroll
    for (int k = 0; k < kStep / 16; ++k) {
      uint32_t a[4];
      sums_to_operand<T>(weights[2 * k], weights[2 * k + 1], a);
#pragma unroll
      for (int n = 0; n < D / 16; ++n) {
        uint32_t b[4];
        ldmatrix_x4_trans(b, Tile::at_step(rows + k * Tile::bytes(16), n));
        mma_m16n8k16<T>(sums[2 * n], a, b[0], b[1]);
        mma_m16n8k16<T>(sums[2 * n + 1], a, b[2], b[3]);
      }
    }
  }

  /// `rows` is (L, delta) of the query rows, [kStep]. All data of rows past the end of the segment
  /// is 0, so they add nothing.
  __device__ __forceinline__ void add_step(uint32_t q_tile, uint32_t grad_out_tile,
                                           const float2* rows, int32_t first_row, float to_log2) {
    float s[kStep / 8][4] = {}, gradients[kStep / 8][4] = {};
    const uint32_t q_columns = q_tile + Tile::column_fragment(),
                   grad_out_columns = grad_out_tile + Tile::column_fragment();
#pragma unroll
    for (int i = 0; i < Tile::kSteps; ++i) multiply_step(k[i], q_columns, i, s);
#pragma unroll
    for (int i = 0; i < Tile::kSteps; ++i) {
      uint32_t a[4];
      ldmatrix_x4(a, Tile::at_step(v, i));
      multiply_step(a, grad_out_columns, i, gradients);
    }
    const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
    const bool diagonal = first_row < first_key + 15;
#pragma unroll
    for (int n = 0; n < kStep / 8; ++n) {
      const float4 pair = *reinterpret_cast<const float4*>(rows + 8 * n + 2 * t);
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const float log2_sum = e % 2 == 0 ? pair.x : pair.z, delta = e % 2 == 0 ? pair.y : pair.w;
        float p = exp2_approximate(fmaf(s[n][e], to_log2, -log2_sum));
        if (diagonal && first_key + g + e / 2 * 8 > first_row + 8 * n + 2 * t + e % 2) p = 0;
        s[n][e] = p;
        gradients[n][e] = p * (gradients[n][e] - delta);
      }
    }
    add_products(s, grad_out_tile, value_sums);
    add_products(gradients, q_tile, key_sums);
  }
};

template <class T, int D>
__global__ void __launch_bounds__(kMmaThreads, 2)
    attention_backward_keys_mma_kernel(const __grid_constant__ BackwardParams<T> p) {
  using Tile = MmaTile<D>;
  constexpr int kStageBytes = 2 * Tile::bytes(kStep) + kStep * static_cast<int>(sizeof(float2));
  extern __shared__ __align__(1024) uint8_t shared[];
  const AttentionInputs<T>& in = p.in;
  const int32_t kv_heads = in.heads / in.group;
  const auto kv_head = static_cast<int32_t>(blockIdx.x % kv_heads);
  const SegmentBlock at = find_block(p.segments, static_cast<int32_t>(blockIdx.x / kv_heads));
  const int32_t first_key = at.block * kKeyRows;  // the longest first
  const int64_t key_column = static_cast<int64_t>(kv_head) * D;
  const uint32_t k = shared_address(shared), v = k + Tile::bytes(kKeyRows);
  uint8_t* stages = shared + 2 * Tile::bytes(kKeyRows);
  // Steps go over the query rows from the diagonal on, for one query head of the group after the
  // other.
  const int32_t steps_per_head = (at.row_count - first_key + kStep - 1) / kStep,
                steps = steps_per_head * in.group;
  int32_t load_head = kv_head * in.group, load_row = first_key, load_stage = 0, left = steps;
  const auto load = [&] {
    if (left > 0) {
      --left;
      const uint32_t stage = shared_address(stages + load_stage * kStageBytes);
      const int64_t column = static_cast<int64_t>(load_head) * D;
      Tile::template load<kStep>(stage, in.q, at.row_start, load_row, at.row_count, column);
      Tile::template load<kStep>(stage + Tile::bytes(kStep), in.grad_out, at.row_start, load_row,
                                 at.row_count, column);
      if (threadIdx.x < kStep) {
        const int32_t row = load_row + static_cast<int32_t>(threadIdx.x);
        const bool valid = row < at.row_count;
        cp_async_8_or_zero(stage + 2 * Tile::bytes(kStep) + threadIdx.x * sizeof(float2),
                           in.rows + load_head * in.tokens + at.row_start + (valid ? row : 0),
                           valid);
      }
      load_row += kStep;
      if (load_row >= at.row_count) load_row = first_key, ++load_head;
      load_stage = load_stage + 1 == kStages ? 0 : load_stage + 1;
    }
    cp_async_commit();
  };
  Tile::template load<kKeyRows>(k, in.k, at.row_start, first_key, at.row_count, key_column);
  Tile::template load<kKeyRows>(v, in.v, at.row_start, first_key, at.row_count, key_column);
  load();
  load();
  const int warp_key = static_cast<int>(threadIdx.x / 32) * 16;
  KeyWarp<T, D> warp;
  warp.v = v + Tile::bytes(1) * warp_key + Tile::row_fragment();
  warp.first_key = first_key + warp_key;
  cp_async_wait<1>();
  __syncthreads();
  warp.load_keys(k + Tile::bytes(1) * warp_key + Tile::row_fragment());
  int32_t row = first_key, stage = 0;
  for (int32_t step = 0; step < steps; ++step) {
    cp_async_wait<1>();
    // Afterwards the data of this step is there, and all warps have read the step before, whose
    // stage is loaded next.
    __syncthreads();
    load();
    const uint8_t* at_stage = stages + stage * kStageBytes;
    if (row + kStep > warp.first_key) {
      warp.add_step(shared_address(at_stage), shared_address(at_stage) + Tile::bytes(kStep),
                    reinterpret_cast<const float2*>(at_stage + 2 * Tile::bytes(kStep)), row,
                    in.to_log2);
    }
    row += kStep;
    if (row >= at.row_count) row = first_key;
    stage = stage + 1 == kStages ? 0 : stage + 1;
  }
  store_sums<T, D>(p.grad_k, at.row_start, warp.first_key, at.row_count, key_column, in.scale,
                   warp.key_sums);
  store_sums<T, D>(p.grad_v, at.row_start, warp.first_key, at.row_count, key_column, 1.0f,
                   warp.value_sums);
}

}  // namespace

void attention_backward_mma(Context& context, const AttentionBackwardParams& params) {
  with_mma_shape(params.q.dtype, params.q.shape[2], [&]<class T, int D>() {
    BackwardParams<T> p{attention_inputs<T>(context, params),
                        head_rows<T>(params.grad_q),
                        head_rows<T>(params.grad_k),
                        head_rows<T>(params.grad_v),
                        {}};
    const auto queries = attention_backward_queries_mma_kernel<T, D>;
    const auto keys = attention_backward_keys_mma_kernel<T, D>;
    allow_shared_bytes(queries, query_shared_bytes<D>());
    allow_shared_bytes(keys, key_shared_bytes<D>());
    for (const SegmentBlocks& launch : segment_blocks(params.segments, kKeyRows, INT32_MAX)) {
      p.segments = launch;
      keys<<<launch.blocks*(p.in.heads / p.in.group), kMmaThreads, key_shared_bytes<D>(),
             context.stream>>>(p);
      MOA_CUDA_CHECK_LAUNCH();
    }
    for (const SegmentBlocks& launch : segment_blocks(params.segments, kQueryRows, INT32_MAX)) {
      p.segments = launch;
      queries<<<launch.blocks * p.in.heads, kMmaThreads, query_shared_bytes<D>(), context.stream>>>(
          p);
      MOA_CUDA_CHECK_LAUNCH();
    }
  });
}

}  // namespace moa::cuda
