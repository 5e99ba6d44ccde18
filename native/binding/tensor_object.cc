#include "binding/tensor_object.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "binding/env_state.h"
#include "binding/js_error.h"
#include "binding/js_value.h"
#include "moa/error.h"
#include "ops/op_checker.h"

namespace moa::binding {

namespace {

int64_t bytes_of(const TensorRef& ref, int64_t elements) {
  return elements * static_cast<int64_t>(bytes_per_element(ref.dtype));
}

/// What the caller gave to `write`: `elements` values of `dtype`.
struct HostData {
  HostArray array;
  DType dtype;
  int64_t elements;
};

HostData read_host_data(const Napi::CallbackInfo& info, DType own) {
  constexpr const char* kWhat = "a Float32Array, an Int32Array or a Uint8Array";
  // The dtype is read before the array: nothing may come between taking the array's pointer and
  // copying from it.
  const DType raw = info[1].IsUndefined() ? own : read_dtype(info[1], "Tensor.write from");
  const HostArray array = read_typed_array(info[0], "Tensor.write data", kWhat);
  switch (array.type) {
    case napi_float32_array:
      return {array, DType::kF32, array.elements};
    case napi_int32_array:
      return {array, DType::kI32, array.elements};
    case napi_uint8_array: {
      const auto size = static_cast<int64_t>(bytes_per_element(raw));
      if (array.elements % size != 0) {
        throw_invalid("whole " + std::string(dtype_name(raw)) + " elements", "Tensor.write data",
                      std::to_string(array.elements) + " bytes");
      }
      return {array, raw, array.elements / size};
    }
    default:
      throw_invalid(kWhat, "Tensor.write data", describe_js(info[0]));
  }
}

}  // namespace

Napi::Function TensorObject::define(Napi::Env env) {
  return DefineClass(
      env, "Tensor",
      {InstanceMethod<&TensorObject::rows>("rows"),
       InstanceMethod<&TensorObject::columns>("columns"),
       InstanceMethod<&TensorObject::reshape>("reshape"),
       InstanceMethod<&TensorObject::write>("write"), InstanceMethod<&TensorObject::read>("read"),
       InstanceMethod<&TensorObject::dispose>("dispose")});
}

Napi::Object TensorObject::create(Napi::Env env, TensorInit init) {
  EnvState& state = EnvState::of(env);
  return construct(state.tensor_class, state.tensor_init, init);
}

TensorObject::TensorObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<TensorObject>(info) {
  guarded(info.Env(), [&] {
    TensorInit*& init = EnvState::of(info.Env()).tensor_init;
    if (init == nullptr) throw_invalid("Backend.tensor()", "making a Tensor", "new");
    owned_ = std::move(init->owned);
    ref_ = init->ref;
    view_ = init->view;
    init = nullptr;
    Napi::Object self = info.This().As<Napi::Object>();
    NAPI_THROW_IF_FAILED_VOID(info.Env(), napi_type_tag_object(info.Env(), self, &kTensorTag));
    define_properties(info.Env(), self);
  });
}

void TensorObject::define_properties(Napi::Env env, Napi::Object self) const {
  Napi::Array shape = Napi::Array::New(env, static_cast<size_t>(ref_.ndim));
  for (int i = 0; i < ref_.ndim; ++i)
    shape[static_cast<uint32_t>(i)] = static_cast<double>(ref_.shape[i]);
  shape.Freeze();
  self.DefineProperties(
      {Napi::PropertyDescriptor::Value("dtype", Napi::String::New(env, dtype_name(ref_.dtype)),
                                       napi_enumerable),
       Napi::PropertyDescriptor::Value("shape", shape, napi_enumerable),
       Napi::PropertyDescriptor::Value("rowStride",
                                       Napi::Number::New(env, static_cast<double>(ref_.row_stride)),
                                       napi_enumerable)});
}

void TensorObject::expect_alive(const char* name) const {
  if (disposed()) throw_invalid("a live tensor", name, "a disposed one");
  session()->expect_alive(name);
}

Napi::Object TensorObject::view_of(Napi::Env env, const TensorRef& ref) const {
  return create(env, {owned_, ref, true});
}

Napi::Value TensorObject::rows(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    expect_alive("Tensor.rows");
    const int64_t start = read_integer(info[0], "Tensor.rows start", 0, ref_.rows() - 1);
    const int64_t count = read_integer(info[1], "Tensor.rows rows", 1, ref_.rows() - start);
    TensorRef view = ref_;
    view.data = static_cast<char*>(ref_.data) + bytes_of(ref_, start * ref_.row_stride);
    view.shape[0] = count;
    return view_of(info.Env(), view);
  });
}

Napi::Value TensorObject::columns(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    expect_alive("Tensor.columns");
    if (ref_.ndim != 2) throw_invalid("a tensor [T, C]", "Tensor.columns", describe(ref_));
    const std::vector<int64_t> shape = read_shape(info[1], "Tensor.columns shape");
    if (shape.size() >= kMaxDims)
      throw_invalid("1 to 3 dimensions", "Tensor.columns shape", describe_js(info[1]));
    TensorRef view = ref_;
    view.ndim = 1 + static_cast<int>(shape.size());
    std::copy(shape.begin(), shape.end(), view.shape + 1);
    if (view.row_size() > ref_.shape[1]) {
      throw_invalid("at most " + std::to_string(ref_.shape[1]) + " columns", "Tensor.columns shape",
                    std::to_string(view.row_size()));
    }
    const int64_t start =
        read_integer(info[0], "Tensor.columns start", 0, ref_.shape[1] - view.row_size());
    view.data = static_cast<char*>(ref_.data) + bytes_of(ref_, start);
    return view_of(info.Env(), view);
  });
}

Napi::Value TensorObject::reshape(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    expect_alive("Tensor.reshape");
    const std::vector<int64_t> shape = read_shape(info[0], "Tensor.reshape shape");
    TensorRef view = ref_;
    view.ndim = static_cast<int>(shape.size());
    std::copy(shape.begin(), shape.end(), view.shape);
    if (view.size() != ref_.size()) {
      throw_invalid(std::to_string(ref_.size()) + " elements", "Tensor.reshape shape",
                    std::to_string(view.size()));
    }
    if (!ref_.contiguous())
      throw_invalid("contiguous elements", "Tensor.reshape", "rows with gaps between them");
    view.row_stride = view.row_size();
    return view_of(info.Env(), view);
  });
}

Napi::Value TensorObject::write(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    expect_alive("Tensor.write");
    session()->expect_not_recording("Tensor.write");
    const HostData data = read_host_data(info, ref_.dtype);
    if ((data.dtype == DType::kI32) != (ref_.dtype == DType::kI32)) {
      throw_invalid(ref_.dtype == DType::kI32 ? "i32 elements" : "float elements",
                    "Tensor.write data",
                    std::string(dtype_name(data.dtype)) + " for " + describe(ref_));
    }
    if (data.elements != ref_.size()) {
      throw_invalid(std::to_string(ref_.size()) + " elements for " + describe(ref_),
                    "Tensor.write data", std::to_string(data.elements));
    }
    const auto bytes = static_cast<size_t>(data.elements) * bytes_per_element(data.dtype);
    const auto staging = std::make_shared_for_overwrite<char[]>(bytes);
    std::memcpy(staging.get(), data.array.data, bytes);
    Backend& backend = session()->backend();
    session()->stream().enqueue(
        "write", [&backend, staging, ref = ref_, from = data.dtype, keep = allocation()] {
          backend.upload(staging.get(), from, ref);
        });
    return info.Env().Undefined();
  });
}

Napi::Value TensorObject::read(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    expect_alive("Tensor.read");
    session()->expect_not_recording("Tensor.read");
    const Napi::Env env = info.Env();
    const int64_t elements = ref_.size();
    // JavaScript's own constructor makes the buffer: it throws when V8 has no memory, where the C
    // function would end the process.
    const Napi::Value buffer = EnvState::of(env).array_buffer_class.New(
        {Napi::Number::New(env, static_cast<double>(elements) * 4)});
    napi_value array = nullptr;
    NAPI_THROW_IF_FAILED(env,
                         napi_create_typedarray(
                             env, ref_.dtype == DType::kI32 ? napi_int32_array : napi_float32_array,
                             static_cast<size_t>(elements), buffer, 0, &array),
                         Napi::Value());
    void* data = nullptr;
    NAPI_THROW_IF_FAILED(env, napi_get_arraybuffer_info(env, buffer, &data, nullptr),
                         Napi::Value());
    Backend& backend = session()->backend();
    return session()->promise_after(
        Napi::Value(env, array),
        [&backend, data, ref = ref_, keep = allocation()] { backend.download(ref, data); });
  });
}

Napi::Value TensorObject::dispose(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    view_disposed_ = true;
    if (!view_) owned_->dispose();
    return info.Env().Undefined();
  });
}

}  // namespace moa::binding
