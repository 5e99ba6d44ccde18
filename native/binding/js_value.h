#pragma once
// Typed readers of JavaScript values: each returns the C++ value or throws Error in the house
// style. `name` is what the message calls the value, e.g. "gemm.out".
#include <napi.h>

#include <cstdint>
#include <string>
#include <vector>

#include "moa/kv_cache.h"
#include "moa/tensor.h"

namespace moa::binding {

/// A value as it appears in a message.
std::string describe_js(Napi::Value value);

/// Largest dimension of a tensor: counts of rows and columns then fit an int32.
constexpr int64_t kMaxDimension = (int64_t{1} << 31) - 1;

double read_number(Napi::Value value, const std::string& name);
int64_t read_integer(Napi::Value value, const std::string& name, int64_t low, int64_t high);
bool read_boolean(Napi::Value value, const std::string& name);
std::string read_string(Napi::Value value, const std::string& name, const char* what);
DType read_dtype(Napi::Value value, const std::string& name);
/// 1 to kMaxDims positive dimensions whose product is below 2^46 elements.
std::vector<int64_t> read_shape(Napi::Value value, const std::string& name);
std::vector<int32_t> read_int32_array(Napi::Value value, const std::string& name);
Napi::Object read_object(Napi::Value value, const std::string& name);

/// The elements of a typed array, not copied: the pointer is valid until JavaScript runs again.
struct HostArray {
  napi_typedarray_type type;
  const void* data;
  int64_t elements;
};
HostArray read_typed_array(Napi::Value value, const std::string& name, const char* what);

/// Returns the native object behind a JavaScript object that carries `tag`. Returns null for any
/// other value, also for an object of another class and for one that only has our prototype.
template <class T>
T* unwrap_tagged(napi_env env, napi_value value, const napi_type_tag& tag) {
  napi_valuetype type;
  if (napi_typeof(env, value, &type) != napi_ok || type != napi_object) return nullptr;
  bool ours = false;
  if (napi_check_object_type_tag(env, value, &tag, &ours) != napi_ok || !ours) return nullptr;
  void* wrapped = nullptr;
  if (napi_unwrap(env, value, &wrapped) != napi_ok) return nullptr;
  return static_cast<T*>(wrapped);
}

}  // namespace moa::binding
