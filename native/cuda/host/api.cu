// Fills the table of functions of moa/cuda_abi.h. No exception leaves them: every function that can
// fail catches it and returns its code. No kernels here.
#include <cstdio>
#include <exception>
#include <new>
#include <string>

#include "cuda/host/context.h"
#include "cuda/host/gemm_cublaslt.h"
#include "cuda/host/graph.h"
#include "cuda/host/ops.h"

namespace moa::cuda {

namespace {

thread_local std::string last_error;

int32_t failure(ErrorCode code, const char* message) {
  last_error = message;
  return 1 + static_cast<int32_t>(code);
}

/// Runs `call` and returns 0, or 1 + the code of the exception that it threw.
template <class F>
int32_t guarded(F&& call) {
  try {
    call();
    return 0;
  } catch (const Error& error) {
    return failure(error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return failure(ErrorCode::kOutOfMemory, "Out of host memory");
  } catch (const std::exception& error) {
    return failure(ErrorCode::kInternal, error.what());
  } catch (...) {
    return failure(ErrorCode::kInternal, "Unknown exception");
  }
}

void require_no_capture(const Context& context, const char* what) {
  if (context.capturing) {
    throw Error(ErrorCode::kInternal,
                std::string(what) + " is not possible while a graph is captured");
  }
}

int64_t pool_attribute(const Context& context, cudaMemPoolAttr name) {
  uint64_t bytes = 0;
  MOA_CUDA_CHECK(cudaMemPoolGetAttribute(context.pool, name, &bytes));
  return static_cast<int64_t>(bytes);
}

template <size_t kSize>
void copy_text(char (&to)[kSize], const char* from) {
  std::snprintf(to, kSize, "%s", from);
}

void describe_device(Context& context, DeviceInfo& info) {
  info = DeviceInfo{};
  copy_text(info.name, context.properties.name);
  info.device = context.device;
  info.sm_major = context.properties.major;
  info.sm_minor = context.properties.minor;
  info.multiprocessors = context.properties.multiProcessorCount;
  MOA_CUDA_CHECK(cudaDriverGetVersion(&info.driver_version));
  MOA_CUDA_CHECK(cudaRuntimeGetVersion(&info.runtime_version));
  info.total_bytes = static_cast<int64_t>(context.properties.totalGlobalMem);
  info.l2_bytes = context.properties.l2CacheSize;
  copy_text(info.blas, BlasLt::of(context).description().c_str());
}

void read_memory(Context& context, DeviceMemory& memory) {
  MOA_CUDA_CHECK(cudaSetDevice(context.device));
  size_t free_bytes = 0, total_bytes = 0;
  MOA_CUDA_CHECK(cudaMemGetInfo(&free_bytes, &total_bytes));
  memory.free_bytes = static_cast<int64_t>(free_bytes);
  memory.total_bytes = static_cast<int64_t>(total_bytes);
  memory.pool_reserved_bytes = pool_attribute(context, cudaMemPoolAttrReservedMemCurrent);
  memory.pool_used_bytes = pool_attribute(context, cudaMemPoolAttrUsedMemCurrent);
}

void start_timer(Context& context) {
  require_no_capture(context, "Timing");
  MOA_CUDA_CHECK(cudaEventRecord(context.timer_begin, context.main_stream));
}

float stop_timer(Context& context) {
  require_no_capture(context, "Timing");
  MOA_CUDA_CHECK(cudaEventRecord(context.timer_end, context.main_stream));
  MOA_CUDA_CHECK(cudaEventSynchronize(context.timer_end));
  float milliseconds = 0;
  MOA_CUDA_CHECK(cudaEventElapsedTime(&milliseconds, context.timer_begin, context.timer_end));
  return milliseconds;
}

void end_capture(Context& context, Graph** graph) {
  if (graph == nullptr) return capture_abandon(context);
  *graph = nullptr;
  *graph = capture_end(context).release();
}

void fill_devices(Api& api) {
  api.device_count = [](int32_t* count) {
    return guarded([&] { *count = 0, *count = device_count(); });
  };
  api.create = [](int32_t device, Context** context) {
    return guarded([&] { *context = nullptr, *context = new Context(device); });
  };
  api.destroy = [](Context* context) { delete context; };
  api.describe = [](Context* context, DeviceInfo* info) {
    return guarded([&] { describe_device(*context, *info); });
  };
  api.set_memory_hooks = [](Context* context, const MemoryHooks* hooks) {
    context->set_hooks(hooks == nullptr ? MemoryHooks{} : *hooks);
  };
  api.drop_scratch = [](Context* context) { context->drop_scratch(); };
  api.trim = [](Context* context) { return guarded([&] { context->trim(); }); };
  api.bind_thread = [](Context* context) {
    return guarded([&] { MOA_CUDA_CHECK(cudaSetDevice(context->device)); });
  };
  api.stream = [](Context* context) -> void* { return context->main_stream; };
}

void fill_memory(Api& api) {
  api.allocate = [](Context* context, int64_t bytes, void** data) {
    return guarded([&] { *data = nullptr, *data = context->allocate(bytes); });
  };
  api.release = [](Context* context, void* data) { context->release(data); };
  api.memory = [](Context* context, DeviceMemory* memory) {
    return guarded([&] { read_memory(*context, *memory); });
  };
  api.substitutions = [](Context* context) -> const char* {
    thread_local std::string lines;
    lines = context->substitutions.lines();
    return lines.c_str();
  };
  api.upload = [](Context* context, const void* host, DType from, const TensorRef* out) {
    return guarded([&] { upload(*context, host, from, *out); });
  };
  api.download = [](Context* context, const TensorRef* x, void* host) {
    return guarded([&] { download(*context, *x, host); });
  };
  api.write_bytes = [](Context* context, const void* host, int64_t bytes, void* device) {
    return guarded([&] { context->write(device, host, bytes); });
  };
  api.synchronize = [](Context* context) {
    return guarded([&] { MOA_CUDA_CHECK(cudaStreamSynchronize(context->main_stream)); });
  };
}

void fill_graphs(Api& api) {
  api.capture_begin = [](Context* context) { return guarded([&] { capture_begin(*context); }); };
  api.capture_end = [](Context* context, Graph** graph) {
    return guarded([&] { end_capture(*context, graph); });
  };
  api.graph_launch = [](Context* context, Graph* graph) {
    return guarded([&] { graph_launch(*context, *graph); });
  };
  api.graph_destroy = [](Context*, Graph* graph) { delete graph; };
  api.timer_start = [](Context* context) { return guarded([&] { start_timer(*context); }); };
  api.timer_stop = [](Context* context, float* milliseconds) {
    return guarded([&] { *milliseconds = stop_timer(*context); });
  };
}

void fill_caches(Api& api) {
  api.decode_plan_bytes = [](Context* context, int32_t sequences, int32_t layers,
                             int32_t kv_heads) {
    return decode_plan_bytes(*context, sequences, layers, kv_heads);
  };
  api.decode_plan = [](Context* context, const CacheView* cache, View<int32_t> sequences) {
    return guarded([&] { decode_plan(*context, *cache, sequences); });
  };
  api.cache_reset = [](Context* context, const CacheView* cache, int32_t sequence) {
    return guarded([&] { cache_reset(*context, *cache, sequence); });
  };
  api.cache_grow = [](Context* context, const CacheView* cache, const GrowParams* params) {
    return guarded([&] { cache_grow(*context, *cache, *params); });
  };
}

void fill_ops(Api& api) {
#define MOA_FILL_OP(method, Params)                                    \
  api.method = [](Context* context, const Params* params) -> int32_t { \
    return guarded([&] { cuda::method(*context, *params); });          \
  };
  MOA_FOR_EACH_CUDA_OP(MOA_FILL_OP)
#undef MOA_FILL_OP
  api.attention_prefill = [](Context* context, const AttentionPrefillParams* params,
                             const CacheView* cache) {
    return guarded([&] { attention_prefill(*context, *params, cache); });
  };
#define MOA_FILL_OP(method, Params)                                                            \
  api.method = [](Context* context, const Params* params, const CacheView* cache) -> int32_t { \
    return guarded([&] { cuda::method(*context, *params, *cache); });                          \
  };
  MOA_FILL_OP(cache_append, CacheAppendParams)
  MOA_FILL_OP(decode_append, DecodeAppendParams)
  MOA_FILL_OP(attention_decode, AttentionDecodeParams)
  MOA_FILL_OP(cache_advance, CacheAdvanceParams)
#undef MOA_FILL_OP
}

}  // namespace

}  // namespace moa::cuda

extern "C" __attribute__((visibility("default"))) uint32_t moabench_cuda_api(uint32_t abi_version,
                                                                             moa::cuda::Api* api) {
  using namespace moa::cuda;
  if (abi_version != kAbiVersion) return kAbiVersion;
  *api = Api{};
  api->abi_version = kAbiVersion;
  api->last_error = [] { return last_error.c_str(); };
  fill_devices(*api);
  fill_memory(*api);
  fill_graphs(*api);
  fill_caches(*api);
  fill_ops(*api);
  return 0;
}
