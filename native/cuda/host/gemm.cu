// a [M, K], b [N, K] or [K, N], bias [N] -> out [M, N] (+)= a . b (+ bias). cuBLASLt computes it
// where it takes the operands; otherwise a kernel with float32 FMAs over tiles in shared memory
// does. That kernel is for operands of two dtypes (float32 activations with 16-bit weights), odd
// alignments, and machines without cuBLASLt.
// Measured: reports/cuda/2026-11-24-h200
#include "cuda/device/element.cuh"
#include "cuda/host/gemm_cublaslt.h"
#include "cuda/host/ops.h"

namespace moa::cuda {

namespace {

constexpr int kTile = 64;   // rows and columns of out per CTA
constexpr int kDepth = 16;  // steps of K between barriers
constexpr int kThread = 4;  // rows and columns of out per thread
constexpr int kThreads = (kTile / kThread) * (kTile / kThread);
constexpr int kLoads = kTile * kDepth / kThreads;
constexpr int kPitch = kTile + 4;  // rows of float4, each shifted by four banks

struct GemmTiledParams {
  const void* a;     // [M, K]
  const void* b;     // [N, K] or [K, N]
  void* out;         // [M, N]
  const void* bias;  // [N] or null
  int64_t m, n, k, a_stride, b_stride, out_stride;
  DType a_dtype, b_dtype, out_dtype, bias_dtype;
  bool transpose_b, accumulate;
};

__device__ __forceinline__ void store_element(void* data, DType dtype, int64_t index, float x) {
  switch (dtype) {
    case DType::kF16:
      static_cast<Half*>(data)[index] = from_float<Half>(x);
      break;
    case DType::kBF16:
      static_cast<BFloat16*>(data)[index] = from_float<BFloat16>(x);
      break;
    default:
      static_cast<float*>(data)[index] = x;
  }
}

/// Elements [first, first + kTile) x [depth, depth + kDepth) of an operand, kLoads per thread, with
/// zeros outside the operand. `along_depth` says that K is the contiguous dimension; consecutive
/// threads then read along K, otherwise across it.
__device__ __forceinline__ void load_tile(const void* data, DType dtype, int64_t stride,
                                          int64_t first, int64_t count, int64_t depth, int64_t k,
                                          bool along_depth, float (&x)[kLoads]) {
#pragma unroll
  for (int i = 0; i < kLoads; ++i) {
    const int index = i * kThreads + static_cast<int>(threadIdx.x);
    const int64_t line = first + (along_depth ? index / kDepth : index % kTile);
    const int64_t step = depth + (along_depth ? index % kDepth : index / kTile);
    const bool inside = line < count && step < k;
    x[i] = inside ? load_element(data, dtype,
                                 along_depth ? line * stride + step : step * stride + line)
                  : 0.0f;
  }
}

/// Stores what load_tile read as tile[depth][line].
__device__ __forceinline__ void store_tile(float (&tile)[kDepth][kPitch], bool along_depth,
                                           const float (&x)[kLoads]) {
#pragma unroll
  for (int i = 0; i < kLoads; ++i) {
    const int index = i * kThreads + static_cast<int>(threadIdx.x);
    if (along_depth) {
      tile[index % kDepth][index / kDepth] = x[i];
    } else {
      tile[index / kTile][index % kTile] = x[i];
    }
  }
}

/// out (+)= a . b (+ bias): each element has one accumulator, which sums over K in order.
__global__ void __launch_bounds__(kThreads) gemm_tiled_kernel(const GemmTiledParams p) {
  __shared__ __align__(16) float a_tile[kDepth][kPitch];
  __shared__ __align__(16) float b_tile[kDepth][kPitch];
  const int64_t first_row = static_cast<int64_t>(blockIdx.y) * kTile;
  const int64_t first_column = static_cast<int64_t>(blockIdx.x) * kTile;
  const int row = static_cast<int>(threadIdx.x) / (kTile / kThread) * kThread;
  const int column = static_cast<int>(threadIdx.x) % (kTile / kThread) * kThread;
  float sums[kThread][kThread] = {};
  float a_next[kLoads], b_next[kLoads];
  load_tile(p.a, p.a_dtype, p.a_stride, first_row, p.m, 0, p.k, true, a_next);
  load_tile(p.b, p.b_dtype, p.b_stride, first_column, p.n, 0, p.k, p.transpose_b, b_next);
  for (int64_t depth = 0; depth < p.k; depth += kDepth) {
    store_tile(a_tile, true, a_next);
    store_tile(b_tile, p.transpose_b, b_next);
    __syncthreads();
    if (depth + kDepth < p.k) {
      load_tile(p.a, p.a_dtype, p.a_stride, first_row, p.m, depth + kDepth, p.k, true, a_next);
      load_tile(p.b, p.b_dtype, p.b_stride, first_column, p.n, depth + kDepth, p.k, p.transpose_b,
                b_next);
    }
#pragma unroll
    for (int step = 0; step < kDepth; ++step) {
      const float4 a = *reinterpret_cast<const float4*>(&a_tile[step][row]);
      const float4 b = *reinterpret_cast<const float4*>(&b_tile[step][column]);
      const float as[kThread] = {a.x, a.y, a.z, a.w};
      const float bs[kThread] = {b.x, b.y, b.z, b.w};
#pragma unroll
      for (int r = 0; r < kThread; ++r) {
#pragma unroll
        for (int c = 0; c < kThread; ++c) sums[r][c] = fmaf(as[r], bs[c], sums[r][c]);
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int r = 0; r < kThread; ++r) {
#pragma unroll
    for (int c = 0; c < kThread; ++c) {
      const int64_t m = first_row + row + r, n = first_column + column + c;
      if (m >= p.m || n >= p.n) continue;
      const int64_t index = m * p.out_stride + n;
      float sum = sums[r][c];
      if (p.bias != nullptr) sum += load_element(p.bias, p.bias_dtype, n);
      if (p.accumulate) sum += load_element(p.out, p.out_dtype, index);
      store_element(p.out, p.out_dtype, index, sum);
    }
  }
}

/// out[m, n] += bias[n]
__global__ void gemm_bias_kernel(const GemmTiledParams p) {
  const int64_t n = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (n >= p.n) return;
  const float bias = load_element(p.bias, p.bias_dtype, n);
  for (int64_t m = blockIdx.y; m < p.m; m += gridDim.y) {
    const int64_t index = m * p.out_stride + n;
    store_element(p.out, p.out_dtype, index, load_element(p.out, p.out_dtype, index) + bias);
  }
}

unsigned blocks_for(int64_t count, int64_t size) {
  return static_cast<unsigned>((count + size - 1) / size);
}

/// The sentence for a product that cuBLASLt did not do. It does not name the number of rows of `a`,
/// which differs between prompts, so there is one sentence per weight.
std::string substitution(const GemmParams& params, const std::string& reason) {
  const auto number = [](int64_t x) { return std::to_string(x); };
  return std::string("gemm of ") + dtype_name(params.a.dtype) + " rows of " +
         number(params.a.row_size()) + " by " + dtype_name(params.b.dtype) + " [" +
         number(params.b.shape[0]) + ", " + number(params.b.shape[1]) + "] into " +
         dtype_name(params.out.dtype) + ": the tiled kernel, as " + reason;
}

}  // namespace

void gemm(Context& context, const GemmParams& params) {
  GemmTiledParams p{};
  p.a = params.a.data, p.b = params.b.data, p.out = params.out.data, p.bias = params.bias.data;
  p.m = params.out.rows(), p.n = params.out.row_size(), p.k = params.a.row_size();
  p.a_stride = params.a.row_stride, p.b_stride = params.b.row_stride,
  p.out_stride = params.out.row_stride;
  p.a_dtype = params.a.dtype, p.b_dtype = params.b.dtype;
  p.out_dtype = params.out.dtype, p.bias_dtype = params.bias.dtype;
  p.transpose_b = params.transpose_b, p.accumulate = params.accumulate;
  if (p.m == 0 || p.n == 0) return;
  BlasLt& blas = BlasLt::of(context);
  if (!blas.matmul(context, params)) {
    context.substitutions.note(substitution(params, blas.why_not(params)));
    const dim3 grid(blocks_for(p.n, kTile), blocks_for(p.m, kTile));
    gemm_tiled_kernel<<<grid, kThreads, 0, context.stream>>>(p);
    MOA_CUDA_CHECK_LAUNCH();
    return;
  }
  if (p.bias == nullptr) return;
  const dim3 grid(blocks_for(p.n, 256), static_cast<unsigned>(p.m < 1024 ? p.m : 1024));
  gemm_bias_kernel<<<grid, 256, 0, context.stream>>>(p);
  MOA_CUDA_CHECK_LAUNCH();
}

}  // namespace moa::cuda
