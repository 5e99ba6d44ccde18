#include "binding/kv_cache_object.h"

#include <algorithm>
#include <string>
#include <vector>

#include "binding/env_state.h"
#include "binding/js_error.h"
#include "binding/js_value.h"
#include "moa/error.h"
#include "ops/op_checker.h"
#include "ops/validate.h"

namespace moa::binding {

namespace {

CachePolicy read_policy(Napi::Value value) {
  constexpr const char* kWhat = "ring, full or dynamic";
  const std::string text = read_string(value, "kvCache.policy", kWhat);
  if (text == "ring") return CachePolicy::kRing;
  if (text == "full") return CachePolicy::kFull;
  if (text == "dynamic") return CachePolicy::kDynamic;
  throw_invalid(kWhat, "kvCache.policy", describe_js(value));
}

const char* policy_name(CachePolicy policy) {
  switch (policy) {
    case CachePolicy::kRing:
      return "ring";
    case CachePolicy::kFull:
      return "full";
    case CachePolicy::kDynamic:
      return "dynamic";
  }
  return "";
}

KvCacheSpec read_spec(Napi::Value value) {
  const Napi::Object object = read_object(value, "kvCache.spec");
  const auto integer = [&](const char* key) {
    return static_cast<int>(
        read_integer(object.Get(key), std::string("kvCache.") + key, 0, kMaxDimension));
  };
  KvCacheSpec spec;
  spec.policy = read_policy(object.Get("policy"));
  spec.sequences = integer("sequences");
  spec.layers = integer("layers");
  spec.kv_heads = integer("kvHeads");
  spec.head_dim = integer("headDim");
  spec.dtype = read_dtype(object.Get("dtype"), "kvCache.dtype");
  spec.sink = integer("sink");
  spec.capacities = read_int32_array(object.Get("capacities"), "kvCache.capacities");
  validate_cache_spec(spec);
  return spec;
}

Napi::Object spec_object(Napi::Env env, const KvCacheSpec& spec) {
  Napi::Int32Array capacities = Napi::Int32Array::New(env, spec.capacities.size());
  std::copy(spec.capacities.begin(), spec.capacities.end(), capacities.Data());
  Napi::Object object = Napi::Object::New(env);
  object.Set("policy", policy_name(spec.policy));
  object.Set("sequences", spec.sequences);
  object.Set("layers", spec.layers);
  object.Set("kvHeads", spec.kv_heads);
  object.Set("headDim", spec.head_dim);
  object.Set("dtype", dtype_name(spec.dtype));
  object.Set("sink", spec.sink);
  object.Set("capacities", capacities);
  object.Freeze();
  return object;
}

}  // namespace

Napi::Function KvCacheObject::define(Napi::Env env) {
  return DefineClass(
      env, "KvCache",
      {InstanceAccessor<&KvCacheObject::resident_bytes>("residentBytes"),
       InstanceMethod<&KvCacheObject::resident_bytes_per_head>("residentBytesPerHead"),
       InstanceMethod<&KvCacheObject::lengths>("lengths"),
       InstanceMethod<&KvCacheObject::reset>("reset"),
       InstanceMethod<&KvCacheObject::dispose>("dispose")});
}

Napi::Object KvCacheObject::create(Napi::Env env, const std::shared_ptr<Session>& session,
                                   Napi::Value spec_value) {
  const std::shared_ptr<KvCache> cache = session->backend().make_kv_cache(read_spec(spec_value));
  KvCacheInit init{std::make_shared<Owned>(session, cache, cache->resident_bytes())};
  EnvState& state = EnvState::of(env);
  return construct(state.kv_cache_class, state.kv_cache_init, init);
}

KvCacheObject::KvCacheObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<KvCacheObject>(info) {
  guarded(info.Env(), [&] {
    KvCacheInit*& init = EnvState::of(info.Env()).kv_cache_init;
    if (init == nullptr) throw_invalid("Backend.kvCache()", "making a KvCache", "new");
    owned_ = std::move(init->owned);
    init = nullptr;
    Napi::Object self = info.This().As<Napi::Object>();
    NAPI_THROW_IF_FAILED_VOID(info.Env(), napi_type_tag_object(info.Env(), self, &kKvCacheTag));
    self.DefineProperty(Napi::PropertyDescriptor::Value(
        "spec", spec_object(info.Env(), cache()->spec()), napi_enumerable));
  });
}

void KvCacheObject::expect_alive(const char* name) const {
  if (disposed()) throw_invalid("a live KV cache", name, "a disposed one");
  session()->expect_alive(name);
}

Napi::Value KvCacheObject::resident_bytes(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const double bytes = disposed() ? 0 : static_cast<double>(cache()->resident_bytes());
    return Napi::Number::New(info.Env(), bytes);
  });
}

Napi::Value KvCacheObject::resident_bytes_per_head(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    expect_alive("KvCache.residentBytesPerHead");
    const std::vector<double> bytes = cache()->resident_bytes_per_head();
    Napi::Float64Array array = Napi::Float64Array::New(info.Env(), bytes.size());
    std::copy(bytes.begin(), bytes.end(), array.Data());
    return array;
  });
}

Napi::Value KvCacheObject::lengths(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    expect_alive("KvCache.lengths");
    Napi::Int32Array array =
        Napi::Int32Array::New(info.Env(), static_cast<size_t>(cache()->spec().sequences));
    int32_t* data = array.Data();
    return session()->promise_after(array, [data, keep = cache()] {
      const std::vector<int32_t> lengths = keep->lengths();
      std::copy(lengths.begin(), lengths.end(), data);
    });
  });
}

Napi::Value KvCacheObject::reset(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    expect_alive("KvCache.reset");
    session()->expect_not_recording("KvCache.reset");
    const int64_t last = cache()->spec().sequences - 1;
    const int sequence = static_cast<int>(read_integer(info[0], "KvCache.reset sequence", 0, last));
    cache()->enqueued_lengths[static_cast<size_t>(sequence)] = 0;
    // An observer runs after a failure too, so the lengths of the host and those of the stream stay
    // equal.
    session()->stream().enqueue_observer(
        [keep = cache(), sequence](const std::exception_ptr&, uint64_t) { keep->reset(sequence); });
    return info.Env().Undefined();
  });
}

Napi::Value KvCacheObject::dispose(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    owned_->dispose();
    return info.Env().Undefined();
  });
}

}  // namespace moa::binding
