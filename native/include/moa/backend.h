#pragma once
// What a device must provide: its memory, its cache and one function per op. The binding owns the
// stream thread; it calls everything that stands under `Stream thread` below on that thread.
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "moa/kv_cache.h"
#include "moa/memory.h"
#include "moa/ops.h"

namespace moa {

/// What validation and the host must know of a device.
struct DeviceTraits {
  const char* name = "";
  bool half_activations = false;  // f16 and bf16 activations, not only weights and caches
  bool host_memory = true;        // tensors live in host memory, of which V8 must be told
  bool device_graphs = false;  // capture_begin and capture_end record; otherwise the host records
  const char* timer = "stream thread clock";
};

/// Memory of the whole device and of the backend's pool, in bytes.
struct DeviceMemory {
  // Of the whole device, of which other programs and the driver use a part.
  int64_t free_bytes = 0, total_bytes = 0;
  int64_t pool_reserved_bytes = 0, pool_used_bytes = 0;
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
  X(copy, CopyParams, "copy")                                         \
  X(fill, FillParams, "fill")                                         \
  X(fill_uniform, FillUniformParams, "fillUniform")                   \
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

/// Ops recorded by a backend, to be run again as one.
class CommandGraph {
 public:
  virtual ~CommandGraph() = default;
  CommandGraph() = default;
  CommandGraph(const CommandGraph&) = delete;
  CommandGraph& operator=(const CommandGraph&) = delete;
  virtual void replay() = 0;  // stream thread
};

class Backend {
 public:
  virtual ~Backend() = default;

  virtual DeviceTraits traits() const = 0;
  /// One line for records: device, threads, SIMD level, libraries.
  virtual std::string description() const = 0;
  virtual const std::shared_ptr<MemoryPool>& pool() const = 0;
  virtual std::shared_ptr<KvCache> make_kv_cache(KvCacheSpec spec) = 0;
  /// Empty where memory is the host's. Any thread.
  virtual std::optional<DeviceMemory> device_memory() const { return std::nullopt; }
  /// Gives memory that nothing uses back to the device, so that other processes can have it. Called
  /// after the stream thread has ended.
  virtual void give_back_memory() {}
  /// One sentence for each op that ran on another kernel than the one meant for it, with the
  /// reason. Any thread.
  virtual std::vector<std::string> substitutions() const { return {}; }

  // Stream thread.
  virtual void start_stream_thread() = 0;
  /// Copies `data` (host memory, contiguous elements of dtype `from`) into `out` and converts the
  /// elements to the dtype of `out`.
  virtual void upload(const void* data, DType from, const TensorRef& out) = 0;
  /// Copies the elements of `x` into host memory, in row-major order without gaps; floats arrive as
  /// f32. Waits for everything that was enqueued before.
  virtual void download(const TensorRef& x, void* out) = 0;
  virtual void synchronize() = 0;

  /// Time from start to stop, both in stream order.
  virtual void timer_start() { timer_start_ = std::chrono::steady_clock::now(); }
  virtual double timer_stop_ms() {
    const std::chrono::duration<double, std::milli> passed =
        std::chrono::steady_clock::now() - timer_start_;
    return passed.count();
  }

  /// Only where traits().device_graphs is true: ops between begin and end are recorded, not run.
  /// `abandon` ends a recording that failed; when there is no recording, it does nothing.
  virtual void capture_begin();
  virtual std::unique_ptr<CommandGraph> capture_end();
  virtual void capture_abandon() {}

#define MOA_DECLARE_OP(method, Params, name) virtual void method(const Params& params) = 0;
  MOA_FOR_EACH_OP(MOA_DECLARE_OP)
#undef MOA_DECLARE_OP

 private:
  std::chrono::steady_clock::time_point timer_start_;
};

}  // namespace moa
