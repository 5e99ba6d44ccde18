#pragma once
#include <cstddef>
#include <cstdint>

namespace moa {

/// Elements that somebody else owns and keeps alive while the op runs. Plain data, so that params
/// structs can cross the C ABI of libmoabench_cuda.so.
template <class T>
struct View {
  const T* data = nullptr;
  int64_t count = 0;

  size_t size() const { return static_cast<size_t>(count); }
  bool empty() const { return count == 0; }
  const T* begin() const { return data; }
  const T* end() const { return data + count; }
  const T& operator[](size_t i) const { return data[i]; }
};

}  // namespace moa
