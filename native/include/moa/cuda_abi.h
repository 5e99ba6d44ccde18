#pragma once
// The C ABI between the addon (C++ only) and libmoabench_cuda.so (everything CUDA): one exported
// symbol fills a table of functions over plain data. The addon owns all state but streams, graphs
// and scratch memory; Python can drive the same table with ctypes (python/moabench_peers).
//
// A function that can fail returns 0, or 1 + the ErrorCode of its failure; `last_error` then gives
// the text of the calling thread's last failure. The caller validates all params (ops/validate.h).
// The library does not read their `cache` fields: a CacheView takes their place.
#include <cstdint>

#include "moa/ops.h"

namespace moa::cuda {

/// Goes up with every change of a struct in this header or in moa/ops.h, moa/tensor.h or
/// moa/view.h.
inline constexpr uint32_t kAbiVersion = 3;
inline constexpr const char* kEntryPoint = "moabench_cuda_api";

struct Context;
struct Graph;

/// The library takes its scratch memory through these hooks, so that the caller can count it.
/// `allocate` returns nullptr when there is no memory left.
struct MemoryHooks {
  void* user = nullptr;
  void* (*allocate)(void* user, int64_t bytes, const char* name) = nullptr;
  void (*release)(void* user, void* data) = nullptr;
};

struct DeviceInfo {
  char name[256] = {};
  int32_t device = 0, sm_major = 0, sm_minor = 0, multiprocessors = 0;
  int32_t driver_version = 0, runtime_version = 0;  // 1000 * major + 10 * minor
  int64_t total_bytes = 0, l2_bytes = 0;
  char blas[256] = {};  // "cuBLASLt 13.0.2", or why it is missing
};

struct DeviceMemory {
  // From cudaMemGetInfo, so of the whole device, of which other processes use a part.
  int64_t free_bytes = 0, total_bytes = 0;
  int64_t pool_reserved_bytes = 0, pool_used_bytes = 0;  // of this context's memory pool
};

/// A KV cache as kernels see it. Pointers without `host_` are device memory.
///
/// Storage of one head of one sequence in one layer is a list of tiles of 64 slots. Tile t starts
/// at heads[...] + t * 64 * 2 * row bytes. A tile has n = min(64, capacity - 64 t) slots: first its
/// n keys [n, D], then its n values [n, D]. Only the last tile of a dynamic cache has fewer than
/// 64, because the capacity of such a cache is exactly its number of tokens. Where cache_swizzled()
/// is true, swizzled_chunk() (cuda/cache/tile.h) permutes the 16-byte chunks of a row: shared
/// memory that holds a plain bulk copy of a tile is then read without bank conflicts.
struct CacheView {
  const uint64_t* heads = nullptr;      // [sequences, layers, kv_heads] device addresses of tile 0
  const int32_t* capacities = nullptr;  // [sequences, layers, kv_heads] slots
  const int32_t* host_capacities = nullptr;  // the same values in host memory
  int32_t* lengths = nullptr;                // [sequences] tokens seen before the step
  void* plan = nullptr;  // decode_plan_bytes(): written by decode_plan, read by attention_decode
  int32_t sequences = 0, layers = 0, kv_heads = 0, head_dim = 0, sink = 0;
  DType dtype = DType::kF32;
  bool windowed = false;  // ring: sink + window per head; otherwise every token is visible
};

/// The growth of one layer of a dynamic cache: the first `tokens` tokens of every head are copied
/// from the old storage to the new one.
struct GrowParams {
  const uint64_t* old_heads = nullptr;  // [kv_heads] host array of device addresses
  const uint64_t* new_heads = nullptr;  // [kv_heads] host array
  int32_t kv_heads = 0, tokens = 0, old_capacity = 0, new_capacity = 0;
};

/// Ops without a cache: the same params as everywhere. X(method, Params)
#define MOA_FOR_EACH_CUDA_OP(X)                  \
  X(gemm, GemmParams)                            \
  X(embedding, EmbeddingParams)                  \
  X(rms_norm, RmsNormParams)                     \
  X(rms_norm_backward, RmsNormBackwardParams)    \
  X(rope, RopeParams)                            \
  X(silu_mul, SiluMulParams)                     \
  X(silu_mul_backward, SiluMulBackwardParams)    \
  X(add, AddParams)                              \
  X(copy, CopyParams)                            \
  X(fill, FillParams)                            \
  X(fill_uniform, FillUniformParams)             \
  X(gather_rows, RowsParams)                     \
  X(scatter_rows, RowsParams)                    \
  X(argmax, ArgmaxParams)                        \
  X(log_softmax, LogSoftmaxParams)               \
  X(cross_entropy, CrossEntropyParams)           \
  X(attention_backward, AttentionBackwardParams) \
  X(influence, InfluenceParams)

/// Ops over a cache. attention_prefill takes a null cache. X(method, Params)
#define MOA_FOR_EACH_CUDA_CACHE_OP(X)          \
  X(attention_prefill, AttentionPrefillParams) \
  X(cache_append, CacheAppendParams)           \
  X(decode_append, DecodeAppendParams)         \
  X(attention_decode, AttentionDecodeParams)   \
  X(cache_advance, CacheAdvanceParams)

struct Api {
  uint32_t abi_version = 0;
  const char* (*last_error)() = nullptr;

  // Devices and contexts. A context is one in-order stream with its memory pool; `create` also
  // makes `device` current.
  int32_t (*device_count)(int32_t* count) = nullptr;
  int32_t (*create)(int32_t device, Context** context) = nullptr;
  void (*destroy)(Context* context) = nullptr;
  int32_t (*describe)(Context* context, DeviceInfo* info) = nullptr;
  void (*set_memory_hooks)(Context* context, const MemoryHooks* hooks) = nullptr;
  /// Frees scratch memory through the hooks; captured graphs keep theirs.
  void (*drop_scratch)(Context* context) = nullptr;
  /// Waits for the stream, then gives the free memory of the pool back to the device, so that other
  /// processes can have it.
  int32_t (*trim)(Context* context) = nullptr;
  /// Makes the context's device current for the calling thread.
  int32_t (*bind_thread)(Context* context) = nullptr;
  /// The stream, as a CUstream: for callers that share it.
  void* (*stream)(Context* context) = nullptr;

  // Memory, from any thread, in stream order. `allocate` returns zero-filled memory; when there is
  // not enough, it fails with kOutOfMemory and changes nothing.
  int32_t (*allocate)(Context* context, int64_t bytes, void** data) = nullptr;
  void (*release)(Context* context, void* data) = nullptr;
  int32_t (*memory)(Context* context, DeviceMemory* memory) = nullptr;
  /// Which ops ran on another kernel than the one meant for them, and why: one sentence per line,
  /// each of them once. Any thread; the text is valid until the same thread calls again.
  const char* (*substitutions)(Context* context) = nullptr;

  // Stream thread.
  int32_t (*upload)(Context* context, const void* host, DType from, const TensorRef* out) = nullptr;
  /// Waits for the stream; floats arrive as f32.
  int32_t (*download)(Context* context, const TensorRef* x, void* host) = nullptr;
  int32_t (*write_bytes)(Context* context, const void* host, int64_t bytes, void* device) = nullptr;
  int32_t (*synchronize)(Context* context) = nullptr;

  // Graphs: what is enqueued between begin and end is recorded, not run. Replays run on the stream.
  int32_t (*capture_begin)(Context* context) = nullptr;
  /// A null `graph` abandons the capture.
  int32_t (*capture_end)(Context* context, Graph** graph) = nullptr;
  int32_t (*graph_launch)(Context* context, Graph* graph) = nullptr;
  void (*graph_destroy)(Context* context, Graph* graph) = nullptr;

  // Device time between two points of the stream, milliseconds; stop waits.
  int32_t (*timer_start)(Context* context) = nullptr;
  int32_t (*timer_stop)(Context* context, float* milliseconds) = nullptr;

  // Caches.
  int64_t (*decode_plan_bytes)(Context* context, int32_t sequences, int32_t layers,
                               int32_t kv_heads) = nullptr;
  /// Divides the work of one decode step of `sequences` over the multiprocessors, for all layers,
  /// by the lengths that are on the device. It must run before the first attention_decode of a
  /// step; the plan stays valid until lengths change.
  int32_t (*decode_plan)(Context* context, const CacheView* cache,
                         View<int32_t> sequences) = nullptr;
  int32_t (*cache_reset)(Context* context, const CacheView* cache, int32_t sequence) = nullptr;
  int32_t (*cache_grow)(Context* context, const CacheView* cache,
                        const GrowParams* params) = nullptr;

#define MOA_DECLARE_OP(method, Params) int32_t (*method)(Context*, const Params*) = nullptr;
  MOA_FOR_EACH_CUDA_OP(MOA_DECLARE_OP)
#undef MOA_DECLARE_OP
#define MOA_DECLARE_OP(method, Params) \
  int32_t (*method)(Context*, const Params*, const CacheView*) = nullptr;
  MOA_FOR_EACH_CUDA_CACHE_OP(MOA_DECLARE_OP)
#undef MOA_DECLARE_OP
};

/// The type of the exported symbol. It fills `api` and returns 0; when `abi_version` is not the
/// library's own version, it returns the library's version instead.
using EntryPoint = uint32_t (*)(uint32_t abi_version, Api* api);

}  // namespace moa::cuda
