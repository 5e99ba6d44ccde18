#include "binding/backend_object.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "binding/env_state.h"
#include "binding/graph_object.h"
#include "binding/js_error.h"
#include "binding/js_value.h"
#include "binding/kv_cache_object.h"
#include "binding/op_params.h"
#include "binding/recording.h"
#include "binding/tensor_object.h"
#include "moa/error.h"
#include "ops/validate.h"

namespace moa::binding {

namespace {

// A JavaScript number holds every integer up to here exactly.
constexpr int64_t kMaxLimitBytes = int64_t{1} << 53;

MemoryKind read_memory_kind(Napi::Value value) {
  if (value.IsUndefined()) return MemoryKind::kWorkspace;
  const std::string text = read_string(value, "Backend.tensor kind", "weights or workspace");
  if (text == "weights") return MemoryKind::kWeights;
  if (text == "workspace") return MemoryKind::kWorkspace;
  throw_invalid("weights or workspace", "Backend.tensor kind", describe_js(value));
}

}  // namespace

Napi::Function BackendObject::define(Napi::Env env) {
#define MOA_LIST_METHOD(method, Params, name) InstanceMethod<&BackendObject::method>(name),
  return DefineClass(env, "Backend",
                     {MOA_FOR_EACH_OP(MOA_LIST_METHOD)
                          InstanceMethod<&BackendObject::cache_advance>("cacheAdvance"),
                      InstanceMethod<&BackendObject::tensor>("tensor"),
                      InstanceMethod<&BackendObject::kv_cache>("kvCache"),
                      InstanceMethod<&BackendObject::synchronize>("synchronize"),
                      InstanceMethod<&BackendObject::capture>("capture"),
                      InstanceMethod<&BackendObject::time>("time"),
                      InstanceMethod<&BackendObject::memory>("memory"),
                      InstanceMethod<&BackendObject::substitutions>("substitutions"),
                      InstanceMethod<&BackendObject::reset_peak>("resetPeak"),
                      InstanceMethod<&BackendObject::set_memory_limit>("setMemoryLimit"),
                      InstanceMethod<&BackendObject::dispose>("dispose")});
#undef MOA_LIST_METHOD
}

Napi::Object BackendObject::create(Napi::Env env, std::unique_ptr<Backend> backend) {
  BackendInit init{Session::create(env, std::move(backend))};
  EnvState& state = EnvState::of(env);
  return construct(state.backend_class, state.backend_init, init);
}

BackendObject::BackendObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<BackendObject>(info) {
  guarded(info.Env(), [&] {
    BackendInit*& init = EnvState::of(info.Env()).backend_init;
    if (init == nullptr) throw_invalid("createBackend()", "making a Backend", "new");
    session_ = std::move(init->session);
    init = nullptr;
    const Napi::Env env = info.Env();
    const DeviceTraits& device = session_->traits();
    Napi::Object traits = Napi::Object::New(env);
    traits.Set("halfActivations", device.half_activations);
    traits.Set("graphs", true);
    traits.Set("timer", device.timer);
    traits.Freeze();
    info.This().As<Napi::Object>().DefineProperties(
        {Napi::PropertyDescriptor::Value("name", Napi::String::New(env, session_->traits().name),
                                         napi_enumerable),
         Napi::PropertyDescriptor::Value("traits", traits, napi_enumerable),
         Napi::PropertyDescriptor::Value("description",
                                         Napi::String::New(env, session_->backend().description()),
                                         napi_enumerable)});
  });
}

template <class Params>
Napi::Value BackendObject::enqueue_op(const Napi::CallbackInfo& info, const char* name,
                                      Params (*read)(ParamsReader&),
                                      void (*validate)(const Params&, const DeviceTraits&),
                                      void (Backend::*op)(const Params&)) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    ParamsReader reader(name, info[0], *session_);
    Params params = read(reader);
    // Only after reading, because a getter of the caller may have disposed the backend.
    session_->expect_alive(name);
    validate(params, session_->traits());
    const auto keep = std::make_shared<const KeepAlive>(reader.take_keep_alive());
    if (const auto& recording = session_->recording; recording != nullptr) {
      if constexpr (!kRecordable<Params>) session_->expect_not_recording(name);
      recording->keep_alive.push_back(keep);
      if constexpr (kDependsOnLengths<Params>) {
        if (params.cache->spec().policy == CachePolicy::kDynamic)
          throw_invalid("a ring or full cache in a recording", name, "a dynamic one");
        recording->checks.push_back(
            [params, validate, traits = session_->traits()] { validate(params, traits); });
      }
    }
    auto task = [&backend = session_->backend(), op, params, keep] { (backend.*op)(params); };
    if (session_->recording != nullptr && !session_->traits().device_graphs) {
      session_->recording->tasks.emplace_back(std::move(task));
    } else {
      session_->stream().enqueue(name, std::move(task));
    }
    return info.Env().Undefined();
  });
}

#define MOA_DEFINE_METHOD(method, Params, name)                                                  \
  Napi::Value BackendObject::method(const Napi::CallbackInfo& info) {                            \
    return enqueue_op<Params>(info, name, &read_##method, &validate_##method, &Backend::method); \
  }
MOA_FOR_EACH_OP(MOA_DEFINE_METHOD)
#undef MOA_DEFINE_METHOD

Napi::Value BackendObject::cache_advance(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    ParamsReader reader("cacheAdvance", info[0], *session_);
    const CacheAdvanceParams params = read_cache_advance(reader);
    session_->expect_alive("cacheAdvance");
    session_->expect_not_recording("cacheAdvance");
    validate_cache_advance(params);
    for (size_t i = 0; i < params.sequences.size(); ++i) {
      params.cache->enqueued_lengths[static_cast<size_t>(params.sequences[i])] += params.counts[i];
    }
    // An observer runs after a failure too, so the lengths of the host and those of the stream stay
    // equal.
    session_->stream().enqueue_observer(
        [params, keep = reader.take_keep_alive()](const std::exception_ptr& failure, uint64_t) {
          params.cache->advance(params.sequences, params.counts, failure == nullptr);
        });
    return info.Env().Undefined();
  });
}

Napi::Value BackendObject::tensor(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    TensorInit init;
    init.ref.dtype = read_dtype(info[0], "Backend.tensor dtype");
    const std::vector<int64_t> shape = read_shape(info[1], "Backend.tensor shape");
    const MemoryKind kind = read_memory_kind(info[2]);
    session_->expect_alive("Backend.tensor");
    init.ref.ndim = static_cast<int>(shape.size());
    std::copy(shape.begin(), shape.end(), init.ref.shape);
    init.ref.row_stride = init.ref.row_size();
    const int64_t bytes = init.ref.size() * static_cast<int64_t>(bytes_per_element(init.ref.dtype));
    const std::shared_ptr<Allocation> allocation =
        session_->pool()->allocate(bytes, kind, "Backend.tensor");
    init.ref.data = allocation->data();
    init.owned = std::make_shared<Owned>(session_, allocation, bytes);
    return TensorObject::create(info.Env(), std::move(init));
  });
}

Napi::Value BackendObject::kv_cache(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    session_->expect_alive("Backend.kvCache");
    return KvCacheObject::create(info.Env(), session_, info[0]);
  });
}

Napi::Value BackendObject::synchronize(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    session_->expect_alive("Backend.synchronize");
    session_->expect_not_recording("Backend.synchronize");
    return session_->promise_after(info.Env().Undefined(), nullptr);
  });
}

Napi::Value BackendObject::capture(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return GraphObject::capture(info.Env(), session_, info[0]);
  });
}

Napi::Value BackendObject::time(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    session_->expect_alive("Backend.time");
    session_->expect_not_recording("Backend.time");
    if (!info[0].IsFunction())
      throw_invalid("a function", "Backend.time enqueue", describe_js(info[0]));
    Backend& backend = session_->backend();
    session_->stream().enqueue("time", [&backend] {
      backend.synchronize();
      backend.timer_start();
    });
    info[0].As<Napi::Function>().Call({});
    // Stopping the timer is a task of its own, so that the time until the promise resolves does not
    // count.
    const auto passed = std::make_shared<double>(0);
    session_->stream().enqueue("time", [&backend, passed] { *passed = backend.timer_stop_ms(); });
    Napi::Float64Array milliseconds = Napi::Float64Array::New(info.Env(), 1);
    double* out = milliseconds.Data();
    const Napi::Promise promise =
        session_->promise_after(milliseconds, [passed, out] { *out = *passed; });
    const Napi::Function first =
        Napi::Function::New(info.Env(), [](const Napi::CallbackInfo& call) -> Napi::Value {
          return call[0].As<Napi::Float64Array>().Get(0u);
        });
    return promise.Get("then").As<Napi::Function>().Call(promise, {first});
  });
}

Napi::Value BackendObject::memory(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const MemoryPool& pool = *session_->pool();
    Napi::Object use = Napi::Object::New(info.Env());
    use.Set("weightsBytes", static_cast<double>(pool.bytes(MemoryKind::kWeights)));
    use.Set("kvBytes", static_cast<double>(pool.bytes(MemoryKind::kKv)));
    use.Set("workspaceBytes", static_cast<double>(pool.bytes(MemoryKind::kWorkspace)));
    use.Set("peakBytes", static_cast<double>(pool.peak_bytes()));
    if (const auto device = session_->backend().device_memory()) {
      Napi::Object memory = Napi::Object::New(info.Env());
      memory.Set("freeBytes", static_cast<double>(device->free_bytes));
      memory.Set("totalBytes", static_cast<double>(device->total_bytes));
      memory.Set("poolReservedBytes", static_cast<double>(device->pool_reserved_bytes));
      memory.Set("poolUsedBytes", static_cast<double>(device->pool_used_bytes));
      use.Set("device", memory);
    }
    return use;
  });
}

Napi::Value BackendObject::substitutions(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::vector<std::string> sentences = session_->backend().substitutions();
    Napi::Array list = Napi::Array::New(info.Env(), sentences.size());
    for (uint32_t i = 0; i < sentences.size(); ++i) list.Set(i, sentences[i]);
    return list;
  });
}

Napi::Value BackendObject::reset_peak(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    session_->pool()->reset_peak();
    return info.Env().Undefined();
  });
}

Napi::Value BackendObject::set_memory_limit(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    session_->pool()->set_limit(
        read_integer(info[0], "Backend.setMemoryLimit bytes", 0, kMaxLimitBytes));
    return info.Env().Undefined();
  });
}

Napi::Value BackendObject::dispose(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value { return session_->dispose(); });
}

}  // namespace moa::binding
