#pragma once
// Writes tokens into a cache. CacheView in moa/cuda_abi.h describes the layout.
#include "cuda/cache/tile.h"
#include "cuda/device/element.cuh"
#include "cuda/device/row_access.cuh"
#include "moa/cuda_abi.h"

namespace moa::cuda {

/// One layer of a cache, as a parameter of the kernels that write it.
struct CacheStore {
  const uint64_t* heads;      // [sequences, layers, kv_heads] addresses of tile 0
  const int32_t* capacities;  // [sequences, layers, kv_heads]
  int32_t layer, layers, kv_heads, head_dim, sink;
  DType dtype;
  bool windowed;

  CacheStore() = default;
  CacheStore(const CacheView& cache, int cache_layer)
      : heads(cache.heads),
        capacities(cache.capacities),
        layer(cache_layer),
        layers(cache.layers),
        kv_heads(cache.kv_heads),
        head_dim(cache.head_dim),
        sink(cache.sink),
        dtype(cache.dtype),
        windowed(cache.windowed) {}

  __device__ int64_t head_index(int32_t sequence, int32_t kv_head) const {
    return (static_cast<int64_t>(sequence) * layers + layer) * kv_heads + kv_head;
  }
  /// The slot of the token at `position`; -1 when a cache that is not a ring has no slot for it.
  __device__ int32_t slot_of(int32_t position, int32_t capacity) const {
    if (windowed) return ring_slot(position, sink, capacity);
    return position < capacity ? position : -1;
  }

  /// Writes elements [element, element + count) of the key or value of a slot, rounded to the dtype
  /// of the cache. `chunk` promises that element is a multiple of 8 and count is 8, so that the
  /// vector is one 16-byte chunk of a 16-bit row.
  __device__ void store(int64_t head, int32_t capacity, int32_t slot, bool value, int32_t element,
                        int count, bool chunk, const float (&x)[kVectorElements]) const {
    char* base = reinterpret_cast<char*>(heads[head]);
    if (chunk) {
      char* at = base + element_offset(slot, value, capacity, head_dim, element, dtype);
      store_as(at, x);
      return;
    }
#pragma unroll
    for (int i = 0; i < kVectorElements; ++i) {
      if (i >= count) break;
      char* at = base + element_offset(slot, value, capacity, head_dim, element + i, dtype);
      store_as(at, x[i]);
    }
  }

 private:
  __device__ void store_as(char* at, const float (&x)[kVectorElements]) const {
    if (dtype == DType::kF16) {
      store_aligned(reinterpret_cast<Half*>(at), x);
    } else if (dtype == DType::kBF16) {
      store_aligned(reinterpret_cast<BFloat16*>(at), x);
    } else {
      store_aligned(reinterpret_cast<float*>(at), x);
    }
  }
  __device__ void store_as(char* at, float x) const {
    if (dtype == DType::kF16) {
      *reinterpret_cast<Half*>(at) = from_float<Half>(x);
    } else if (dtype == DType::kBF16) {
      *reinterpret_cast<BFloat16*>(at) = from_float<BFloat16>(x);
    } else {
      *reinterpret_cast<float*>(at) = x;
    }
  }
};

}  // namespace moa::cuda
