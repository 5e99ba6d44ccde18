#include "cpu/tensor_copy.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "cpu/float_convert.h"

namespace moa::cpu {

namespace {

// Elements that are converted at a time, by way of f32: their 4 KiB stay in L1.
constexpr int64_t kChunk = 1024;

template <class From, class To>
void convert(const From* x, To* out, int64_t n) {
  if constexpr (std::is_same_v<From, To>) {
    std::memcpy(out, x, static_cast<size_t>(n) * sizeof(From));
  } else {
    float chunk[kChunk];
    for (int64_t i = 0; i < n; i += kChunk) {
      const int64_t count = std::min(kChunk, n - i);
      to_floats(x + i, chunk, count);
      from_floats(chunk, out + i, count);
    }
  }
}

/// Makes one row of contiguous elements, so that a tensor [n] is not copied element by element.
TensorRef as_few_rows(TensorRef x) {
  if (!x.contiguous()) return x;
  const int64_t size = x.size();
  x.ndim = 2;
  x.shape[0] = 1;
  x.shape[1] = size;
  x.row_stride = size;
  return x;
}

}  // namespace

void upload(const void* data, DType from, const TensorRef& strided) {
  const TensorRef out = as_few_rows(strided);
  const int64_t columns = out.row_size();
  if (from == out.dtype) {
    const size_t bytes = static_cast<size_t>(columns) * bytes_per_element(from);
    for (int64_t i = 0; i < out.rows(); ++i) {
      char* row = static_cast<char*>(out.data) +
                  static_cast<size_t>(i * out.row_stride) * bytes_per_element(from);
      std::memcpy(row, static_cast<const char*>(data) + static_cast<size_t>(i) * bytes, bytes);
    }
    return;
  }
  dispatch_float(from, [&]<class From>(From) {
    dispatch_float(out.dtype, [&]<class To>(To) {
      for (int64_t i = 0; i < out.rows(); ++i) {
        convert(static_cast<const From*>(data) + i * columns, out.row<To>(i), columns);
      }
    });
  });
}

void download(const TensorRef& strided, void* out) {
  const TensorRef x = as_few_rows(strided);
  const int64_t columns = x.row_size();
  if (x.dtype == DType::kI32) {
    for (int64_t i = 0; i < x.rows(); ++i) {
      std::memcpy(static_cast<int32_t*>(out) + i * columns, x.row<int32_t>(i),
                  static_cast<size_t>(columns) * 4);
    }
    return;
  }
  dispatch_float(x.dtype, [&]<class T>(T) {
    for (int64_t i = 0; i < x.rows(); ++i)
      to_floats(x.row<T>(i), static_cast<float*>(out) + i * columns, columns);
  });
}

}  // namespace moa::cpu
