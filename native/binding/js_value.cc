#include "binding/js_value.h"

#include <cmath>
#include <cstdio>

#include "moa/error.h"

namespace moa::binding {

namespace {

constexpr size_t kMaxDescribed = 80;  // characters of a string in a message
// Most elements of a tensor: their bytes then stay far below 2^63.
constexpr int64_t kMaxElements = int64_t{1} << 46;

std::string describe_number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", value);
  double shorter = 0;
  char brief[32];
  std::snprintf(brief, sizeof brief, "%.9g", value);
  if (std::sscanf(brief, "%lf", &shorter) == 1 && shorter == value) return brief;
  return text;
}

std::string describe_string(const std::string& text) {
  return '"' + (text.size() <= kMaxDescribed ? text : text.substr(0, kMaxDescribed) + "...") + '"';
}

const char* typed_array_name(napi_typedarray_type type) {
  switch (type) {
    case napi_int8_array:
      return "Int8Array";
    case napi_uint8_array:
      return "Uint8Array";
    case napi_uint8_clamped_array:
      return "Uint8ClampedArray";
    case napi_int16_array:
      return "Int16Array";
    case napi_uint16_array:
      return "Uint16Array";
    case napi_int32_array:
      return "Int32Array";
    case napi_uint32_array:
      return "Uint32Array";
    case napi_float32_array:
      return "Float32Array";
    case napi_float64_array:
      return "Float64Array";
    case napi_bigint64_array:
      return "BigInt64Array";
    case napi_biguint64_array:
      return "BigUint64Array";
    default:
      break;  // kinds that are newer than the Node-API version of this build
  }
  return "typed array";
}

}  // namespace

std::string describe_js(Napi::Value value) {
  switch (value.Type()) {
    case napi_undefined:
      return "undefined";
    case napi_null:
      return "null";
    case napi_boolean:
      return value.As<Napi::Boolean>().Value() ? "true" : "false";
    case napi_number:
      return describe_number(value.As<Napi::Number>().DoubleValue());
    case napi_string:
      return describe_string(value.As<Napi::String>().Utf8Value());
    case napi_symbol:
      return "a symbol";
    case napi_bigint:
      return "a bigint";
    case napi_function:
      return "a function";
    case napi_external:
      return "an external value";
    case napi_object:
      break;
  }
  if (value.IsTypedArray()) {
    const HostArray array = read_typed_array(value, "", "");
    return std::string(typed_array_name(array.type)) + "(" + std::to_string(array.elements) + ")";
  }
  if (value.IsArray()) return "an array of " + std::to_string(value.As<Napi::Array>().Length());
  return "an object";
}

double read_number(Napi::Value value, const std::string& name) {
  if (!value.IsNumber()) throw_invalid("a number", name, describe_js(value));
  return value.As<Napi::Number>().DoubleValue();
}

int64_t read_integer(Napi::Value value, const std::string& name, int64_t low, int64_t high) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (!(number >= static_cast<double>(low) && number <= static_cast<double>(high) &&
        number == std::floor(number))) {
    throw_invalid("an integer from " + std::to_string(low) + " to " + std::to_string(high), name,
                  describe_js(value));
  }
  return static_cast<int64_t>(number);
}

bool read_boolean(Napi::Value value, const std::string& name) {
  if (!value.IsBoolean()) throw_invalid("true or false", name, describe_js(value));
  return value.As<Napi::Boolean>().Value();
}

std::string read_string(Napi::Value value, const std::string& name, const char* what) {
  if (!value.IsString()) throw_invalid(what, name, describe_js(value));
  return value.As<Napi::String>().Utf8Value();
}

DType read_dtype(Napi::Value value, const std::string& name) {
  constexpr const char* kWhat = "f32, f16, bf16 or i32";
  const std::string text = read_string(value, name, kWhat);
  if (text == "f32") return DType::kF32;
  if (text == "f16") return DType::kF16;
  if (text == "bf16") return DType::kBF16;
  if (text == "i32") return DType::kI32;
  throw_invalid(kWhat, name, describe_js(value));
}

std::vector<int64_t> read_shape(Napi::Value value, const std::string& name) {
  const std::string what = "1 to " + std::to_string(kMaxDims) + " dimensions";
  if (!value.IsArray()) throw_invalid(what, name, describe_js(value));
  const auto array = value.As<Napi::Array>();
  const uint32_t count = array.Length();
  if (count < 1 || count > kMaxDims) throw_invalid(what, name, describe_js(value));
  std::vector<int64_t> shape;
  int64_t elements = 1;
  for (uint32_t i = 0; i < count; ++i) {
    const int64_t dim =
        read_integer(array.Get(i), name + "[" + std::to_string(i) + "]", 1, kMaxDimension);
    if (dim > kMaxElements / elements) {
      throw_invalid("at most " + std::to_string(kMaxElements) + " elements", name,
                    "a larger shape");
    }
    elements *= dim;
    shape.push_back(dim);
  }
  return shape;
}

HostArray read_typed_array(Napi::Value value, const std::string& name, const char* what) {
  if (!value.IsTypedArray()) throw_invalid(what, name, describe_js(value));
  HostArray array{};
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(value.Env(), value, &array.type, &length, &data, nullptr, nullptr) !=
      napi_ok) {
    throw_invalid(what, name, "an unreadable typed array");
  }
  array.data = data;
  // The data of a detached array is null.
  array.elements = data == nullptr ? 0 : static_cast<int64_t>(length);
  return array;
}

std::vector<int32_t> read_int32_array(Napi::Value value, const std::string& name) {
  const HostArray array = read_typed_array(value, name, "an Int32Array");
  if (array.type != napi_int32_array) throw_invalid("an Int32Array", name, describe_js(value));
  const auto* data = static_cast<const int32_t*>(array.data);
  return array.elements == 0 ? std::vector<int32_t>()
                             : std::vector<int32_t>(data, data + array.elements);
}

Napi::Object read_object(Napi::Value value, const std::string& name) {
  if (!value.IsObject() || value.IsFunction()) throw_invalid("an object", name, describe_js(value));
  return value.As<Napi::Object>();
}

}  // namespace moa::binding
