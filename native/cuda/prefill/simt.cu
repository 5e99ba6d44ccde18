// q [T, H, D], keys, values [key rows, key heads, D] -> out [T, H, D], logSumExp [T, H]: prefill
// attention on CUDA cores, for any float dtype and head dim, with products and softmax in float32.
// One block of 256 threads takes an item of 64 query rows. Queries stay in shared memory. Keys pass
// through shared memory 32 dimensions at a time, values 16 keys at a time. A thread holds 4 x 4
// scores and 4 rows x (D / 16) columns of the output. Scores are in units of log2, because queries
// are scaled by scale * log2(e).
// Measured: reports/cuda/2026-11-24-h200
#include "cuda/device/element.cuh"
#include "cuda/prefill/launch.h"

namespace moa::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kRows = 64;
constexpr int kDepth = 32;       // dimensions of keys in shared memory at a time
constexpr int kValueKeys = 16;   // keys whose values are in shared memory at a time
constexpr int kStride = 64 + 4;  // row of a transposed tile: whole float4, fewer bank conflicts
constexpr float kLog2E = 1.4426950408889634f, kLn2 = 0.6931471805599453f;

static_assert(kKeyBlock == 64);

int64_t shared_bytes(int64_t head_dim, int columns) {
  return (head_dim * kStride + kDepth * kStride + kKeyBlock * kStride + kValueKeys * columns * 64) *
         static_cast<int64_t>(sizeof(float));
}

/// The maximum over the 16 lanes that share rows.
__device__ __forceinline__ float largest_of_row(float x) {
#pragma unroll
  for (int lane = 8; lane > 0; lane /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, lane));
  return x;
}
__device__ __forceinline__ float sum_of_row(float x) {
#pragma unroll
  for (int lane = 8; lane > 0; lane /= 2) x += __shfl_xor_sync(0xffffffffu, x, lane);
  return x;
}

__device__ __forceinline__ void unpack(const float4& from, float (&to)[4]) {
  to[0] = from.x, to[1] = from.y, to[2] = from.z, to[3] = from.w;
}

/// tile_t[d][row] = factor * rows[row][d] for 64 rows; rows from `count` on are zero.
template <class T>
__device__ __forceinline__ void load_transposed(const T* rows, int64_t stride, int count, int depth,
                                                float factor, float* tile_t) {
  for (int i = threadIdx.x; i < 64 * depth; i += kThreads) {
    const int row = i / depth, d = i % depth;
    tile_t[d * kStride + row] = row < count ? factor * to_float(rows[row * stride + d]) : 0.0f;
  }
}

/// Loads values[key][d] for kValueKeys keys, with zeros outside. Returns whether any value is not
/// finite.
template <class T>
__device__ __forceinline__ bool load_values(const T* rows, int64_t stride, int count, int depth,
                                            int columns, float* values) {
  bool odd = false;
  for (int i = threadIdx.x; i < kValueKeys * columns; i += kThreads) {
    const int key = i / columns, d = i % columns;
    const float x = key < count && d < depth ? to_float(rows[key * stride + d]) : 0.0f;
    odd |= !isfinite(x);
    values[i] = x;
  }
  return odd;
}

/// What a thread holds: rows 4 ty to 4 ty + 3 of the item, and of these the columns 4 tx + 64 c to
/// 4 tx + 64 c + 3.
template <int kColumns>
struct State {
  float out[4][4 * kColumns] = {};
  float largest[4], sum[4] = {};
};

/// Scores of keys 4 tx to 4 tx + 3 of the block, for the thread's rows.
template <class T>
__device__ __forceinline__ void multiply_keys(const T* keys, int64_t stride, int count, int depth,
                                              const float* queries_t, float* keys_t, int tx, int ty,
                                              float (&scores)[4][4]) {
  for (int start = 0; start < depth; start += kDepth) {
    const int dims = min(kDepth, depth - start);
    __syncthreads();
    load_transposed(keys + start, stride, count, dims, 1.0f, keys_t);
    __syncthreads();
#pragma unroll 8
    for (int d = 0; d < dims; ++d) {
      float q[4], k[4];
      unpack(*reinterpret_cast<const float4*>(queries_t + (start + d) * kStride + 4 * ty), q);
      unpack(*reinterpret_cast<const float4*>(keys_t + d * kStride + 4 * tx), k);
#pragma unroll
      for (int r = 0; r < 4; ++r) {
#pragma unroll
        for (int c = 0; c < 4; ++c) scores[r][c] = fmaf(q[r], k[c], scores[r][c]);
      }
    }
  }
}

/// Turns scores into weights 2^(score - largest), updates the state, and stores the weights as
/// weights_t[key][row].
template <int kColumns>
__device__ __forceinline__ void softmax_step(float (&scores)[4][4], State<kColumns>& state, int tx,
                                             int ty, float* weights_t) {
#pragma unroll
  for (int r = 0; r < 4; ++r) {
    const float here = fmaxf(fmaxf(scores[r][0], scores[r][1]), fmaxf(scores[r][2], scores[r][3]));
    const float before = state.largest[r], now = fmaxf(before, largest_of_row(here));
    // A row that has seen nothing gets weights 0, not NaN.
    const float base = now == -INFINITY ? 0.0f : now;
    const float shrink = before == now ? 1.0f : exp2f(before - now);
    float sum = 0;
#pragma unroll
    for (int c = 0; c < 4; ++c) sum += scores[r][c] = exp2f(scores[r][c] - base);
    state.largest[r] = now;
    state.sum[r] = state.sum[r] * shrink + sum;
#pragma unroll
    for (int c = 0; c < 4 * kColumns; ++c) state.out[r][c] *= shrink;
  }
#pragma unroll
  for (int c = 0; c < 4; ++c) {
    *reinterpret_cast<float4*>(weights_t + (4 * tx + c) * kStride + 4 * ty) =
        make_float4(scores[0][c], scores[1][c], scores[2][c], scores[3][c]);
  }
}

/// out += weights . values over the keys in shared memory. When a value is not finite (`odd`), rows
/// skip the keys that they do not see, because a weight of zero would not hide a NaN.
template <int kColumns>
__device__ __forceinline__ void add_values(const float* weights_t, const float* values, bool odd,
                                           const PrefillItem& item, int32_t key, int tx, int ty,
                                           State<kColumns>& state) {
#pragma unroll 4
  for (int j = 0; j < kValueKeys; ++j) {
    float w[4];
    unpack(*reinterpret_cast<const float4*>(weights_t + j * kStride + 4 * ty), w);
#pragma unroll
    for (int c = 0; c < kColumns; ++c) {
      float v[4];
      unpack(*reinterpret_cast<const float4*>(values + (j * kColumns + c) * 64 + 4 * tx), v);
#pragma unroll
      for (int r = 0; r < 4; ++r) {
        if (odd && !item.mask.sees(item.position + 4 * ty + r, key + j)) continue;
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          state.out[r][4 * c + i] = fmaf(w[r], v[i], state.out[r][4 * c + i]);
        }
      }
    }
  }
}

template <class T, int kColumns>
__device__ __forceinline__ void store_rows(const PrefillArguments& a, const PrefillItem& item,
                                           State<kColumns>& state, int tx, int ty) {
#pragma unroll
  for (int r = 0; r < 4; ++r) {
    const float sum = sum_of_row(state.sum[r]), inverse = 1.0f / sum;
    if (4 * ty + r >= item.rows) continue;
    const int64_t row = item.row + 4 * ty + r;
    T* out = static_cast<T*>(a.out) + row * a.out_stride + int64_t{item.head} * a.head_dim;
#pragma unroll
    for (int c = 0; c < 4 * kColumns; ++c) {
      const int d = c / 4 * 64 + 4 * tx + c % 4;
      if (d < a.head_dim) out[d] = from_float<T>(state.out[r][c] * inverse);
    }
    if (a.log_sum_exp != nullptr && tx == 0) {
      a.log_sum_exp[row * a.log_sum_exp_stride + item.head] = state.largest[r] * kLn2 + logf(sum);
    }
  }
}

/// Grid: one thread block per item, the costliest first. kColumns is head dim / 64, rounded up.
template <class T, int kColumns>
__global__ void __launch_bounds__(kThreads, kColumns <= 2 ? 2 : 1)
    attention_prefill_simt_kernel(PrefillArguments a) {
  extern __shared__ float4 shared[];
  const int depth = a.head_dim;
  float* queries_t = reinterpret_cast<float*>(shared);  // [D][64]
  float* keys_t = queries_t + depth * kStride;          // [kDepth][64]
  float* weights_t = keys_t + kDepth * kStride;         // [64 keys][64 rows]
  float* values = weights_t + kKeyBlock * kStride;      // [kValueKeys][64 kColumns]
  const PrefillItem item = a.items[blockIdx.x];
  const int tx = threadIdx.x % 16, ty = threadIdx.x / 16;

  const T* q = static_cast<const T*>(a.q) + item.row * a.q_stride + int64_t{item.head} * depth;
  load_transposed(q, a.q_stride, item.rows, depth, a.scale * kLog2E, queries_t);
  State<kColumns> state;
#pragma unroll
  for (int r = 0; r < 4; ++r) state.largest[r] = -INFINITY;

  for (int32_t block = 0; block < item.blocks; ++block) {
    const int32_t start = item.block_position(block), count = item.block_keys(block);
    const int64_t row = item.block_row(block), column = int64_t{item.key_head} * depth;
    float scores[4][4] = {};
    multiply_keys(static_cast<const T*>(a.keys) + row * a.key_stride + column, a.key_stride, count,
                  depth, queries_t, keys_t, tx, ty, scores);
    if (!item.block_whole(block, item.position, kRows)) {
#pragma unroll
      for (int r = 0; r < 4; ++r) {
#pragma unroll
        for (int c = 0; c < 4; ++c) {
          if (!item.mask.sees(item.position + 4 * ty + r, start + 4 * tx + c)) {
            scores[r][c] = -INFINITY;
          }
        }
      }
    }
    softmax_step(scores, state, tx, ty, weights_t);
    const T* v = static_cast<const T*>(a.values) + row * a.value_stride + column;
    for (int first = 0; first < count; first += kValueKeys) {
      // All threads must have used the last values before new ones overwrite them. The first time,
      // the barriers of multiply_keys ensure this.
      if (first > 0) __syncthreads();
      const bool odd = load_values(v + first * a.value_stride, a.value_stride, count - first, depth,
                                   64 * kColumns, values);
      const bool any_odd = __syncthreads_or(odd) != 0;
      add_values(weights_t + first * kStride, values, any_odd, item, start + first, tx, ty, state);
    }
  }
  store_rows<T>(a, item, state, tx, ty);
}

template <class T, int kColumns>
void launch(Context& context, const PrefillArguments& a) {
  const auto bytes = static_cast<int>(shared_bytes(a.head_dim, kColumns));
  MOA_CUDA_CHECK(cudaFuncSetAttribute(attention_prefill_simt_kernel<T, kColumns>,
                                      cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
  attention_prefill_simt_kernel<T, kColumns>
      <<<static_cast<unsigned>(a.item_count), kThreads, bytes, context.stream>>>(a);
  MOA_CUDA_CHECK_LAUNCH();
}

}  // namespace

void prefill_simt(Context& context, const PrefillArguments& a) {
  with_float_type(a.dtype, "attentionPrefill.q", [&]<class T>() {
    if (a.head_dim <= 64) {
      launch<T, 1>(context, a);
    } else if (a.head_dim <= 128) {
      launch<T, 2>(context, a);
    } else {
      launch<T, 4>(context, a);
    }
  });
}

}  // namespace moa::cuda
