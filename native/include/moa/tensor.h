#pragma once
#include <cstddef>
#include <cstdint>

namespace moa {

enum class DType : uint8_t { kF32 = 0, kF16 = 1, kBF16 = 2, kI32 = 3 };

inline size_t bytes_per_element(DType t) {
  return t == DType::kF32 || t == DType::kI32 ? 4 : 2;
}

inline const char* dtype_name(DType t) {
  constexpr const char* kNames[] = {"f32", "f16", "bf16", "i32"};
  return kNames[static_cast<size_t>(t)];
}

constexpr int kMaxDims = 4;

/// A view of device memory. It is row-major; only the leading dimension may be strided. It owns
/// nothing: whoever enqueues an op keeps the storage alive until the stream has run it.
struct TensorRef {
  void* data = nullptr;
  DType dtype = DType::kF32;
  int ndim = 0;
  int64_t shape[kMaxDims] = {0, 0, 0, 0};
  int64_t row_stride = 0;  // elements between entries of dimension 0

  explicit operator bool() const { return data != nullptr; }
  int64_t rows() const { return ndim == 0 ? 0 : shape[0]; }
  /// Elements of one entry of the leading dimension.
  int64_t row_size() const {
    int64_t n = 1;
    for (int i = 1; i < ndim; ++i) n *= shape[i];
    return n;
  }
  int64_t size() const { return rows() * row_size(); }
  bool contiguous() const { return rows() <= 1 || row_stride == row_size(); }
  template <class T>
  T* row(int64_t i) const {
    return static_cast<T*>(data) + i * row_stride;
  }
};

}  // namespace moa
