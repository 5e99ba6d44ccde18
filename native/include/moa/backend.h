#pragma once
// What a device must provide. The binding owns the stream thread and calls everything below `stream
// thread` on it, so a backend is its memory, its cache and one function per op; libmoabench_cuda.so
// will hand out one of these through its single C symbol.
#include <memory>
#include <string>

#include "moa/kv_cache.h"
#include "moa/memory.h"
#include "moa/ops.h"

namespace moa {

/// What validation must know of a device.
struct DeviceTraits {
  const char* name = "";
  bool half_activations = false;  // f16 and bf16 activations, not only weights and caches
};

/// Ops with a params struct of their own. X(method, Params, "name as in backend.ts")
#define MOA_FOR_EACH_OP(X)                                            \
  X(gemm, GemmParams, "gemm")                                         \
  X(embedding, EmbeddingParams, "embedding")                          \
  X(rms_norm, RmsNormParams, "rmsNorm")                               \
  X(rms_norm_backward, RmsNormBackwardParams, "rmsNormBackward")      \
  X(rope, RopeParams, "rope")                                         \
  X(silu_mul, SiluMulParams, "siluMul")                               \
  X(silu_mul_backward, SiluMulBackwardParams, "siluMulBackward")      \
  X(add, AddParams, "add")                                            \
  X(fill, FillParams, "fill")                                         \
  X(gather_rows, RowsParams, "gatherRows")                            \
  X(scatter_rows, RowsParams, "scatterRows")                          \
  X(attention_prefill, AttentionPrefillParams, "attentionPrefill")    \
  X(cache_append, CacheAppendParams, "cacheAppend")                   \
  X(decode_append, DecodeAppendParams, "decodeAppend")                \
  X(attention_decode, AttentionDecodeParams, "attentionDecode")       \
  X(argmax, ArgmaxParams, "argmax")                                   \
  X(log_softmax, LogSoftmaxParams, "logSoftmax")                      \
  X(cross_entropy, CrossEntropyParams, "crossEntropy")                \
  X(attention_backward, AttentionBackwardParams, "attentionBackward") \
  X(influence, InfluenceParams, "influence")

class Backend {
 public:
  virtual ~Backend() = default;

  virtual DeviceTraits traits() const = 0;
  /// One line for records: device, threads, SIMD level, libraries.
  virtual std::string description() const = 0;
  virtual std::shared_ptr<RawAllocator> allocator() const = 0;
  virtual std::shared_ptr<KvCache> make_kv_cache(KvCacheSpec spec,
                                                 std::shared_ptr<MemoryPool> pool) const = 0;

  // Stream thread.
  virtual void start_stream_thread() = 0;
  /// Host memory `data`, contiguous elements of `from`, into `out`, converted to its dtype.
  virtual void upload(const void* data, DType from, const TensorRef& out) = 0;
  /// The elements of `x` in row-major order without gaps, floats as f32, into host memory. Waits
  /// for what was launched before.
  virtual void download(const TensorRef& x, void* out) = 0;
  virtual void synchronize() = 0;
#define MOA_DECLARE_OP(method, Params, name) virtual void method(const Params& params) = 0;
  MOA_FOR_EACH_OP(MOA_DECLARE_OP)
#undef MOA_DECLARE_OP
};

}  // namespace moa
