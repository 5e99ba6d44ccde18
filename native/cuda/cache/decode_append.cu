// q [B, H, D], k, v [B, Hkv, D] of one decode step, inverse frequencies [D / 2], a cache -> q and k
// rotated in place (RoPE), k and v appended to the cache, all in one launch. The positions are the
// lengths on the device. Each CTA computes its rotations once. Then a thread takes a vector of the
// low half of a head and the vector at the same place of the high half, because RoPE rotates these
// two together.
// Measured: reports/cuda/2026-11-24-h200
#include "cuda/cache/sequence_list.h"
#include "cuda/cache/store.cuh"
#include "cuda/host/ops.h"
#include "cuda/rows/rotation.cuh"

namespace moa::cuda {

namespace {

constexpr int kStepThreads = 128;
constexpr int kMaxHalfHeadDim = 128;  // head dims reach 256

template <class T>
struct StepParams {
  CacheStore cache;
  const int32_t* lengths;            // [sequences]
  const float* inverse_frequencies;  // [D / 2]
  RowAccess<T> q, k, v;              // [B, H, D], [B, Hkv, D] twice; q and k in place
  int32_t heads;
  float scale;
  bool aligned;  // vectors of both halves of a head are 16-byte aligned
  int32_t first_row;
  SequenceList sequences;
};

struct Rotation {
  float cosine[kMaxHalfHeadDim], sine[kMaxHalfHeadDim];  // for each pair (i, i + D / 2)
};

__device__ __forceinline__ void compute_rotation(const float* inverse_frequencies, int32_t position,
                                                 int half, float scale, Rotation& rotation) {
  for (int i = threadIdx.x; i < half; i += kStepThreads) {
    const float2 turn = rotation_of(position, inverse_frequencies[i], scale, false);
    rotation.cosine[i] = turn.x;
    rotation.sine[i] = turn.y;
  }
}

__device__ __forceinline__ void rotate(const Rotation& rotation, int first, int count,
                                       float (&low)[kVectorElements],
                                       float (&high)[kVectorElements]) {
#pragma unroll
  for (int i = 0; i < kVectorElements; ++i) {
    if (i >= count) break;
    const float cosine = rotation.cosine[first + i], sine = rotation.sine[first + i];
    const float a = low[i], b = high[i];
    low[i] = a * cosine - b * sine;
    high[i] = b * cosine + a * sine;
  }
}

/// blockIdx.x is the row. blockIdx.y and the thread select one of its vectors, over query heads,
/// then key heads, then value heads.
template <class T>
__global__ void __launch_bounds__(kStepThreads)
    decode_append_rotate_kernel(const __grid_constant__ StepParams<T> params) {
  __shared__ Rotation rotation;
  const CacheStore& cache = params.cache;
  const int32_t sequence = params.sequences.values[blockIdx.x];
  const int64_t row = static_cast<int64_t>(params.first_row) + blockIdx.x;
  const int32_t position = params.lengths[sequence], half = cache.head_dim / 2;
  const int32_t vectors = (half + kVectorElements - 1) / kVectorElements;
  const int32_t index = static_cast<int32_t>(blockIdx.y * kStepThreads + threadIdx.x);
  int32_t head = index / vectors;
  const int32_t element = (index - head * vectors) * kVectorElements;
  const int32_t count = min(kVectorElements, half - element);
  const bool is_query = head < params.heads;
  if (!is_query) head -= params.heads;
  const bool is_value = !is_query && head >= cache.kv_heads;
  if (is_value) head -= cache.kv_heads;
  const bool used = is_query || head < cache.kv_heads;
  const RowAccess<T>& tensor = is_query ? params.q : is_value ? params.v : params.k;
  const int64_t column = static_cast<int64_t>(head) * cache.head_dim + element;

  float low[kVectorElements], high[kVectorElements];
  if (used) {
    tensor.load(row, column, count, params.aligned, low);
    tensor.load(row, column + half, count, params.aligned, high);
  }
  compute_rotation(params.inverse_frequencies, position, half, params.scale, rotation);
  __syncthreads();
  if (!used) return;
  if (!is_value) {
    rotate(rotation, element, count, low, high);
    tensor.store(row, column, count, params.aligned, low);
    tensor.store(row, column + half, count, params.aligned, high);
  }
  if (is_query) return;
  const int64_t cached = cache.head_index(sequence, head);
  const int32_t capacity = cache.capacities[cached];
  const int32_t slot = cache.slot_of(position, capacity);
  if (slot < 0) return;
  const bool chunk = half % kVectorElements == 0;
  cache.store(cached, capacity, slot, is_value, element, count, chunk, low);
  cache.store(cached, capacity, slot, is_value, element + half, count, chunk, high);
}

template <class T>
void launch(Context& context, const DecodeAppendParams& params, const CacheView& cache) {
  const int64_t half = cache.head_dim / 2;
  StepParams<T> kernel_params{};
  kernel_params.cache = CacheStore(cache, params.layer);
  kernel_params.lengths = cache.lengths;
  kernel_params.inverse_frequencies = static_cast<const float*>(params.inverse_frequencies.data);
  kernel_params.q = RowAccess<T>(params.q);
  kernel_params.k = RowAccess<T>(params.k);
  kernel_params.v = RowAccess<T>(params.v);
  kernel_params.heads = static_cast<int32_t>(params.q.shape[1]);
  kernel_params.scale = params.scale;
  kernel_params.aligned = aligned_rows({params.q, params.k, params.v}, half);
  const int64_t vectors = (params.q.shape[1] + int64_t{2} * cache.kv_heads) *
                          ((half + kVectorElements - 1) / kVectorElements);
  const auto blocks = static_cast<unsigned>((vectors + kStepThreads - 1) / kStepThreads);
  for_each_sequence_list(params.sequences, [&](int32_t first, const SequenceList& list) {
    kernel_params.first_row = first;
    kernel_params.sequences = list;
    const dim3 grid(static_cast<unsigned>(list.count), blocks);
    decode_append_rotate_kernel<T><<<grid, kStepThreads, 0, context.stream>>>(kernel_params);
    MOA_CUDA_CHECK_LAUNCH();
  });
}

}  // namespace

void decode_append(Context& context, const DecodeAppendParams& params, const CacheView& cache) {
  if (params.q.dtype != params.k.dtype || params.q.dtype != params.v.dtype)
    return launch<Any>(context, params, cache);
  with_float_type(params.q.dtype, "decodeAppend.q",
                  [&]<class T>() { launch<T>(context, params, cache); });
}

}  // namespace moa::cuda
