#include "ops/op_checker.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "moa/error.h"

namespace moa {

namespace {

std::string join(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text.append(text.empty() ? "[" : ", ").append(part);
  return text.append("]");
}

std::string format(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

bool allowed(DType dtype, Role role, const DeviceTraits& traits) {
  switch (role) {
    case Role::kActivation:
      return dtype == DType::kF32 || (traits.half_activations && dtype != DType::kI32);
    case Role::kWeight:
      return dtype != DType::kI32;
    case Role::kF32:
      return dtype == DType::kF32;
    case Role::kI32:
      return dtype == DType::kI32;
  }
  return false;
}

const char* role_dtypes(Role role, const DeviceTraits& traits) {
  switch (role) {
    case Role::kActivation:
      return traits.half_activations ? "f32|f16|bf16" : "f32";
    case Role::kWeight:
      return "f32|f16|bf16";
    case Role::kF32:
      return "f32";
    case Role::kI32:
      return "i32";
  }
  return "";
}

/// Whether two views share an element. The answer is exact for two views with the same row stride,
/// such as column slices of one tensor. Views with different strides count as sharing as soon as
/// their extents overlap.
bool overlap(const TensorRef& a, const TensorRef& b) {
  const auto bytes = [](const TensorRef& t, int64_t elements) {
    return elements * static_cast<int64_t>(bytes_per_element(t.dtype));
  };
  const auto extent = [&](const TensorRef& t) {
    return bytes(t, (t.rows() - 1) * t.row_stride + t.row_size());
  };
  const auto a_start = reinterpret_cast<intptr_t>(a.data),
             b_start = reinterpret_cast<intptr_t>(b.data);
  if (a_start + extent(a) <= b_start || b_start + extent(b) <= a_start) return false;
  const int64_t stride = bytes(a, a.row_stride);
  if (a.contiguous() || b.contiguous() || stride != bytes(b, b.row_stride)) return true;
  // Bytes from the start of a row of `a` to the start of the row of `b` within it.
  const int64_t shift = ((b_start - a_start) % stride + stride) % stride;
  return shift < bytes(a, a.row_size()) || shift + bytes(b, b.row_size()) > stride;
}

bool same(const TensorRef& a, const TensorRef& b) {
  return a.data == b.data && a.dtype == b.dtype && a.ndim == b.ndim &&
         std::equal(a.shape, a.shape + a.ndim, b.shape) &&
         (a.rows() <= 1 || a.row_stride == b.row_stride);
}

}  // namespace

std::string describe(const TensorRef& tensor) {
  std::vector<std::string> dims;
  for (int i = 0; i < tensor.ndim; ++i) dims.push_back(std::to_string(tensor.shape[i]));
  return std::string(dtype_name(tensor.dtype)) + " " + join(dims);
}

void OpChecker::fail(const std::string& what, const char* field, const std::string& value) const {
  throw_invalid(what, name(field), value);
}

void OpChecker::dtype(const char* field, const TensorRef& tensor, Role role) const {
  if (allowed(tensor.dtype, role, traits_)) return;
  if (role == Role::kActivation && tensor.dtype != DType::kI32) {
    throw Error(ErrorCode::kUnsupported, "Expected " + std::string(role_dtypes(role, traits_)) +
                                             " activations on " + traits_.name + " for " +
                                             name(field) + " but received " + describe(tensor));
  }
  fail("an " + std::string(role_dtypes(role, traits_)) + " tensor", field, describe(tensor));
}

void OpChecker::tensor(const char* field, const TensorRef& tensor, Role role,
                       std::initializer_list<Dim*> shape) const {
  bool fits = tensor.ndim == static_cast<int>(shape.size());
  int i = 0;
  for (Dim* dim : shape) {
    if (!fits) break;
    const int64_t size = tensor.shape[i++];
    fits = dim->value < 0 || dim->value == size;
  }
  if (!fits) {
    std::vector<std::string> wanted;
    for (const Dim* dim : shape)
      wanted.push_back(dim->value < 0 ? dim->name : std::to_string(dim->value));
    fail("an " + std::string(role_dtypes(role, traits_)) + " tensor of shape " + join(wanted),
         field, describe(tensor));
  }
  dtype(field, tensor, role);
  i = 0;
  for (Dim* dim : shape) dim->value = tensor.shape[i++];
}

void OpChecker::same_shape(const char* field, const TensorRef& tensor, const char* other_field,
                           const TensorRef& other) const {
  if (tensor.ndim == other.ndim &&
      std::equal(tensor.shape, tensor.shape + tensor.ndim, other.shape))
    return;
  fail("the shape of " + std::string(other_field) + ", " + describe(other) + ",", field,
       describe(tensor));
}

void OpChecker::apart(const char* field, const TensorRef& tensor, const char* other_field,
                      const TensorRef& other) const {
  if (overlap(tensor, other))
    fail("memory apart from " + name(other_field), field, "a tensor that overlaps it");
}

void OpChecker::apart_or_same(const char* field, const TensorRef& tensor, const char* other_field,
                              const TensorRef& other) const {
  if (!same(tensor, other)) apart(field, tensor, other_field, other);
}

void OpChecker::finite(const char* field, double value) const {
  if (!std::isfinite(value)) fail("a finite number", field, format(value));
}

void OpChecker::not_negative(const char* field, double value) const {
  if (!std::isfinite(value) || value < 0) fail("a finite number >= 0", field, format(value));
}

void OpChecker::integer_in(const char* field, int64_t value, int64_t low, int64_t end) const {
  if (value >= low && value < end) return;
  fail("an integer in [" + std::to_string(low) + ", " + std::to_string(end) + ")", field,
       std::to_string(value));
}

void OpChecker::head_dim(const char* field, int64_t value) const {
  if (value >= 8 && value <= 256 && value % 8 == 0) return;
  throw Error(ErrorCode::kUnsupported,
              "Expected a head dim that is a multiple of 8 from 8 to 256 for " + name(field) +
                  " but received " + std::to_string(value));
}

void OpChecker::heads(int64_t heads, int64_t kv_heads) const {
  if (heads % kv_heads == 0) return;
  fail("query heads in groups of " + std::to_string(kv_heads) + " KV heads", "q",
       std::to_string(heads) + " heads");
}

void OpChecker::segments(View<Segment> segments, int64_t rows) const {
  if (segments.empty()) fail("at least one segment", "segments", "none");
  int64_t end = 0;
  for (size_t i = 0; i < segments.size(); ++i) {
    const Segment& s = segments[i];
    const int64_t row_end = int64_t{s.row_start} + s.row_count;
    if (s.row_start < end || s.row_count < 1 || row_end > rows) {
      fail("rows in order, without overlap, within [0, " + std::to_string(rows) + ")",
           ("segments[" + std::to_string(i) + "]").c_str(),
           "[" + std::to_string(s.row_start) + ", " + std::to_string(row_end) + ")");
    }
    if (s.first_position < 0 || int64_t{s.first_position} + s.row_count > kMaxTokens) {
      fail("positions in [0, " + std::to_string(kMaxTokens) + ")",
           ("segments[" + std::to_string(i) + "]").c_str(),
           "first position " + std::to_string(s.first_position));
    }
    end = row_end;
  }
}

void OpChecker::layer(const KvCache& cache, int layer) const {
  integer_in("layer", layer, 0, cache.spec().layers);
}

void OpChecker::distinct_sequences(const KvCache& cache, View<int32_t> sequences) const {
  if (sequences.empty()) fail("at least one sequence", "sequences", "none");
  for (const int32_t sequence : sequences)
    integer_in("sequences", sequence, 0, cache.spec().sequences);
  std::vector<int32_t> sorted(sequences.begin(), sequences.end());
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end())
    fail("distinct sequences", "sequences", std::to_string(*twice) + " twice");
}

void OpChecker::room(const KvCache& cache, int32_t sequence, int first_layer, int end_layer,
                     int64_t end) const {
  if (end > kMaxTokens)
    fail("at most " + std::to_string(kMaxTokens) + " tokens", "cache", std::to_string(end));
  if (cache.spec().policy != CachePolicy::kFull) return;
  for (int layer = first_layer; layer < end_layer; ++layer) {
    for (int head = 0; head < cache.spec().kv_heads; ++head) {
      const int32_t capacity = cache.spec().capacity(sequence, layer, head);
      if (end <= capacity) continue;
      fail("at most " + std::to_string(capacity) + " tokens (the capacity of sequence " +
               std::to_string(sequence) + ", layer " + std::to_string(layer) + ", KV head " +
               std::to_string(head) + ")",
           "cache", std::to_string(end));
    }
  }
}

}  // namespace moa
