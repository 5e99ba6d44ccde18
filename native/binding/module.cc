// The addon's exports; their types are in src/native/addon.ts.
#include <napi.h>

#include <memory>
#include <string>

#include "binding/backend_object.h"
#include "binding/env_state.h"
#include "binding/graph_object.h"
#include "binding/js_error.h"
#include "binding/js_value.h"
#include "binding/kv_cache_object.h"
#include "binding/signal_watch.h"
#include "binding/tensor_object.h"
#include "cpu/cpu_backend.h"
#include "cuda_host/cuda_backend.h"
#include "moa/error.h"

namespace moa::binding {

namespace {

constexpr int64_t kMaxThreads = 1024;
constexpr int64_t kMaxDevices = 1024;
constexpr int64_t kMaxGraceMs = 60'000;

/// The instruction set that this build needs and the machine lacks, or undefined. The addon is
/// built for one machine. When it is copied to another (in a shared node_modules or a container
/// image) that lacks the set, its first vector instruction would end the process.
Napi::Value cpu_mismatch(const Napi::CallbackInfo& info) {
  const char* missing = nullptr;
#if defined(__x86_64__) && defined(__GNUC__)
#if defined(__AVX512F__)
  if (!__builtin_cpu_supports("avx512f")) missing = "AVX-512";
#endif
#if defined(__FMA__)
  if (!__builtin_cpu_supports("fma")) missing = "FMA";
#endif
#if defined(__AVX2__)
  if (!__builtin_cpu_supports("avx2")) missing = "AVX2";
#endif
#endif
  return missing == nullptr ? info.Env().Undefined() : Napi::String::New(info.Env(), missing);
}

Napi::Value use_error_class(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    if (!info[0].IsFunction()) throw_invalid("a class", "useErrorClass", describe_js(info[0]));
    EnvState::of(info.Env()).error_class = Napi::Persistent(info[0].As<Napi::Function>());
    return info.Env().Undefined();
  });
}

Napi::Value create_cpu_backend(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Object options = read_object(info[0], "createCpuBackend options");
    const int64_t threads =
        read_integer(options.Get("threads"), "createCpuBackend.threads", 1, kMaxThreads);
    return BackendObject::create(info.Env(), cpu::make_cpu_backend(static_cast<int>(threads)));
  });
}

Napi::Value describe_cpu_backend(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const int64_t threads = read_integer(info[0], "describeCpuBackend threads", 1, kMaxThreads);
    return Napi::String::New(info.Env(),
                             cpu::make_cpu_backend(static_cast<int>(threads))->description());
  });
}

/// A backend on a CUDA device; throws UNAVAILABLE with the reason when there is none.
Napi::Value create_cuda_backend(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Object options = read_object(info[0], "createCudaBackend options");
    const std::string library =
        read_string(options.Get("library"), "createCudaBackend.library", "a path");
    const int64_t device =
        read_integer(options.Get("device"), "createCudaBackend.device", 0, kMaxDevices);
    return BackendObject::create(info.Env(),
                                 cuda::make_cuda_backend(library, static_cast<int>(device)));
  });
}

/// One line about a CUDA device. Throws what createCudaBackend throws.
Napi::Value describe_cuda_backend(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::string library = read_string(info[0], "describeCudaBackend library", "a path");
    const int64_t device = read_integer(info[1], "describeCudaBackend device", 0, kMaxDevices);
    return Napi::String::New(
        info.Env(), cuda::make_cuda_backend(library, static_cast<int>(device))->description());
  });
}

Napi::Value js_watch_signals(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const int64_t grace_ms = read_integer(info[0], "watchSignals graceMs", 0, kMaxGraceMs);
    watch_signals(static_cast<int>(grace_ms),
                  read_string(info[1], "watchSignals lastWords", "a text"));
    return info.Env().Undefined();
  });
}

Napi::Value js_unwatch_signals(const Napi::CallbackInfo& info) {
  unwatch_signals();
  return info.Env().Undefined();
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  auto state = std::make_unique<EnvState>();
  state->tensor_class = Napi::Persistent(TensorObject::define(env));
  state->kv_cache_class = Napi::Persistent(KvCacheObject::define(env));
  state->backend_class = Napi::Persistent(BackendObject::define(env));
  state->graph_class = Napi::Persistent(GraphObject::define(env));
  state->array_buffer_class =
      Napi::Persistent(env.Global().Get("ArrayBuffer").As<Napi::Function>());
  env.SetInstanceData(state.release());
  exports.Set("createCpuBackend", Napi::Function::New(env, create_cpu_backend, "createCpuBackend"));
  exports.Set("describeCpuBackend",
              Napi::Function::New(env, describe_cpu_backend, "describeCpuBackend"));
  exports.Set("createCudaBackend",
              Napi::Function::New(env, create_cuda_backend, "createCudaBackend"));
  exports.Set("describeCudaBackend",
              Napi::Function::New(env, describe_cuda_backend, "describeCudaBackend"));
  exports.Set("useErrorClass", Napi::Function::New(env, use_error_class, "useErrorClass"));
  exports.Set("cpuMismatch", Napi::Function::New(env, cpu_mismatch, "cpuMismatch"));
  exports.Set("watchSignals", Napi::Function::New(env, js_watch_signals, "watchSignals"));
  exports.Set("unwatchSignals", Napi::Function::New(env, js_unwatch_signals, "unwatchSignals"));
  return exports;
}

}  // namespace

}  // namespace moa::binding

static Napi::Object initialize_module(Napi::Env env, Napi::Object exports) {
  return moa::binding::initialize(env, exports);
}
NODE_API_MODULE(moabench, initialize_module)
