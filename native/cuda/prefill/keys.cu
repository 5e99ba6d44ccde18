// k, v [T, Hkv, D], a cache -> keys, values [key rows, D]: gathers what a continued prefill sees
// into one array per segment and KV head. First come the cached sinks, then the cached window in
// order of position (the ring unrolled, the swizzle undone), then the segment's own keys; likewise
// for values. So attention has one source, whatever the layout and dtype of the cache. The copy
// takes time linear in the span, attention quadratic. A thread copies eight elements.
// Measured: reports/cuda/2026-11-24-h200
#include <cstring>

#include "cuda/cache/tile.h"
#include "cuda/device/element.cuh"
#include "cuda/prefill/launch.h"

namespace moa::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kElements = 8;  // per thread: one swizzled chunk of a 16-bit cache

struct GatherArguments {
  const GatheredKeys* gathered;  // [entries]
  const uint64_t* heads;         // [sequences, layers, kv_heads] device addresses
  const int32_t* capacities;     // [sequences, layers, kv_heads]
  const void* k;                 // [T, Hkv, D]
  const void* v;                 // [T, Hkv, D]
  void* keys;                    // [key rows, D]
  void* values;                  // [key rows, D]
  int64_t k_stride, v_stride;
  int32_t layers, layer, kv_heads, head_dim, sink;
  DType cache_dtype;
  bool windowed;
};

__device__ __forceinline__ void store_eight(float* to, const float (&x)[kElements]) {
  float4* to4 = reinterpret_cast<float4*>(to);
  to4[0] = make_float4(x[0], x[1], x[2], x[3]);
  to4[1] = make_float4(x[4], x[5], x[6], x[7]);
}
template <class T>
__device__ __forceinline__ void store_eight(T* to, const float (&x)[kElements]) {
  alignas(16) T packed[kElements];
#pragma unroll
  for (int i = 0; i < kElements; ++i) packed[i] = from_float<T>(x[i]);
  uint4 words;
  memcpy(&words, packed, sizeof words);
  *reinterpret_cast<uint4*>(to) = words;
}

template <class T>
__device__ __forceinline__ void unpack(const uint4& words, float (&x)[kElements]) {
  T packed[kElements];
  memcpy(packed, &words, sizeof words);
#pragma unroll
  for (int i = 0; i < kElements; ++i) x[i] = to_float(packed[i]);
}

/// Loads eight elements of a cache. They are whole chunks, so they are aligned to 16 bytes.
__device__ __forceinline__ void load_cached(const char* from, DType dtype, float (&x)[kElements]) {
  const uint4* words = reinterpret_cast<const uint4*>(from);
  const uint4 low = words[0];
  if (dtype == DType::kF32) {
    const uint4 high = words[1];
    memcpy(x, &low, sizeof low);
    memcpy(x + 4, &high, sizeof high);
    return;
  }
  if (dtype == DType::kF16) {
    unpack<Half>(low, x);
  } else {
    unpack<BFloat16>(low, x);
  }
}

template <class T>
__device__ __forceinline__ void load_own(const T* from, float (&x)[kElements]) {
#pragma unroll
  for (int i = 0; i < kElements; ++i) x[i] = to_float(from[i]);
}

/// Grid: x goes over groups of eight elements of the keys of an entry, y over entries.
template <class T>
__global__ void __launch_bounds__(kThreads) prefill_keys_gather_kernel(GatherArguments a) {
  const GatheredKeys entry = a.gathered[blockIdx.y];
  const int32_t groups = a.head_dim / kElements;
  const int64_t at = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const int64_t row = at / groups;
  if (row >= entry.keys()) return;
  const auto key = static_cast<int32_t>(row);
  const int32_t element = static_cast<int32_t>(at - row * groups) * kElements;
  float k[kElements], v[kElements];
  if (key < entry.cached) {
    const int64_t head =
        (static_cast<int64_t>(entry.sequence) * a.layers + a.layer) * a.kv_heads + entry.head;
    const int32_t position = entry.position(key), capacity = a.capacities[head];
    const int32_t slot = a.windowed ? ring_slot(position, a.sink, capacity) : position;
    const auto* tiles = reinterpret_cast<const char*>(a.heads[head]);
    load_cached(tiles + element_offset(slot, false, capacity, a.head_dim, element, a.cache_dtype),
                a.cache_dtype, k);
    load_cached(tiles + element_offset(slot, true, capacity, a.head_dim, element, a.cache_dtype),
                a.cache_dtype, v);
  } else {
    const int64_t own = entry.row + (key - entry.cached);
    const int64_t column = static_cast<int64_t>(entry.head) * a.head_dim + element;
    load_own(static_cast<const T*>(a.k) + own * a.k_stride + column, k);
    load_own(static_cast<const T*>(a.v) + own * a.v_stride + column, v);
  }
  const int64_t to = (entry.key_row + key) * a.head_dim + element;
  store_eight(static_cast<T*>(a.keys) + to, k);
  store_eight(static_cast<T*>(a.values) + to, v);
}

}  // namespace

void gather_prefill_keys(Context& context, const AttentionPrefillParams& params,
                         const CacheView& cache, const GatheredKeys* gathered, int32_t count,
                         int32_t longest, void* keys, void* values) {
  GatherArguments a{};
  a.gathered = gathered;
  a.heads = cache.heads, a.capacities = cache.capacities;
  a.k = params.k.data, a.v = params.v.data;
  a.keys = keys, a.values = values;
  a.k_stride = params.k.row_stride, a.v_stride = params.v.row_stride;
  a.layers = cache.layers, a.layer = params.layer, a.kv_heads = cache.kv_heads;
  a.head_dim = cache.head_dim, a.sink = cache.sink;
  a.cache_dtype = cache.dtype, a.windowed = cache.windowed;
  const int64_t groups = int64_t{longest} * (cache.head_dim / kElements);
  constexpr int32_t kMaxGridY = 65535;
  for (int32_t first = 0; first < count; first += kMaxGridY) {
    const int32_t entries = count - first < kMaxGridY ? count - first : kMaxGridY;
    const dim3 grid(static_cast<unsigned>((groups + kThreads - 1) / kThreads),
                    static_cast<unsigned>(entries));
    a.gathered = gathered + first;
    with_float_type(params.k.dtype, "attentionPrefill.k", [&]<class T>() {
      prefill_keys_gather_kernel<T><<<grid, kThreads, 0, context.stream>>>(a);
    });
    MOA_CUDA_CHECK_LAUNCH();
  }
}

}  // namespace moa::cuda
