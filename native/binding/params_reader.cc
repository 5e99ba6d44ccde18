#include "binding/params_reader.h"

#include <limits>

#include "binding/js_value.h"
#include "binding/kv_cache_object.h"
#include "binding/tensor_object.h"
#include "moa/error.h"

namespace moa::binding {

namespace {

// Most ops have no more tensors than this, so their list is allocated only once.
constexpr size_t kUsualReferences = 8;

}  // namespace

ParamsReader::ParamsReader(const char* op, Napi::Value params, const Session& session)
    : op_(op), env_(params.Env()), params_(params), session_(session) {
  if (!params.IsObject() || params.IsFunction()) {
    throw_invalid("an object", std::string(op) + " params", describe_js(params));
  }
  keep_alive_.reserve(kUsualReferences);
}

Napi::Value ParamsReader::get(const char* field) const {
  napi_value value = nullptr;
  NAPI_THROW_IF_FAILED(env_, napi_get_named_property(env_, params_, field, &value), Napi::Value());
  return Napi::Value(env_, value);
}

TensorRef ParamsReader::to_tensor(const char* field, Napi::Value value) {
  auto* tensor = unwrap_tagged<TensorObject>(env_, value, kTensorTag);
  if (tensor == nullptr) throw_invalid("a tensor", name(field), describe_js(value));
  if (tensor->disposed()) throw_invalid("a live tensor", name(field), "a disposed one");
  if (tensor->session().get() != &session_) {
    throw_invalid("a tensor of this backend", name(field), "one of another backend");
  }
  keep_alive_.push_back(tensor->allocation());
  return tensor->ref();
}

TensorRef ParamsReader::tensor(const char* field) {
  return to_tensor(field, get(field));
}

TensorRef ParamsReader::optional_tensor(const char* field) {
  const Napi::Value value = get(field);
  return value.IsUndefined() ? TensorRef{} : to_tensor(field, value);
}

KvCache* ParamsReader::to_cache(const char* field, Napi::Value value) {
  auto* cache = unwrap_tagged<KvCacheObject>(env_, value, kKvCacheTag);
  if (cache == nullptr) throw_invalid("a KV cache", name(field), describe_js(value));
  if (cache->disposed()) throw_invalid("a live KV cache", name(field), "a disposed one");
  if (cache->session().get() != &session_) {
    throw_invalid("a KV cache of this backend", name(field), "one of another backend");
  }
  keep_alive_.push_back(cache->cache());
  return cache->cache().get();
}

KvCache* ParamsReader::cache(const char* field) {
  return to_cache(field, get(field));
}

KvCache* ParamsReader::optional_cache(const char* field) {
  const Napi::Value value = get(field);
  return value.IsUndefined() ? nullptr : to_cache(field, value);
}

float ParamsReader::number(const char* field) {
  return static_cast<float>(read_number(get(field), name(field)));
}

float ParamsReader::optional_number(const char* field, float otherwise) {
  const Napi::Value value = get(field);
  return value.IsUndefined() ? otherwise : static_cast<float>(read_number(value, name(field)));
}

int32_t ParamsReader::integer(const char* field) {
  constexpr int64_t kLow = std::numeric_limits<int32_t>::min(),
                    kHigh = std::numeric_limits<int32_t>::max();
  return static_cast<int32_t>(read_integer(get(field), name(field), kLow, kHigh));
}

bool ParamsReader::boolean(const char* field) {
  return read_boolean(get(field), name(field));
}

bool ParamsReader::optional_boolean(const char* field, bool otherwise) {
  const Napi::Value value = get(field);
  return value.IsUndefined() ? otherwise : read_boolean(value, name(field));
}

uint64_t ParamsReader::seed(const char* field) {
  // A JavaScript number holds every integer below this exactly.
  constexpr int64_t kEnd = int64_t{1} << 53;
  return static_cast<uint64_t>(read_integer(get(field), name(field), 0, kEnd - 1));
}

View<int32_t> ParamsReader::integers(const char* field) {
  auto values =
      std::make_shared<const std::vector<int32_t>>(read_int32_array(get(field), name(field)));
  const View<int32_t> view{values->data(), static_cast<int64_t>(values->size())};
  keep_alive_.push_back(std::const_pointer_cast<std::vector<int32_t>>(std::move(values)));
  return view;
}

View<Segment> ParamsReader::segments(const char* field) {
  const View<int32_t> values = integers(field);
  constexpr int64_t kFields = sizeof(Segment) / sizeof(int32_t);
  if (values.count % kFields != 0) {
    throw_invalid("four values per segment", name(field), std::to_string(values.count));
  }
  // A Segment is four int32 without padding.
  return {reinterpret_cast<const Segment*>(values.data), values.count / kFields};
}

}  // namespace moa::binding
