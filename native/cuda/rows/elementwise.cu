// x, y [rows, columns] -> x += y (add), out = x (copy), out = value (fill), out = seeded random
// numbers (fill_uniform, moa/uniform.h), for tensors of any float dtype. Each thread takes one
// vector of a row.
// Measured: reports/cuda/2026-11-24-h200
#include <cmath>
#include <cstring>

#include "cuda/device/row_access.cuh"
#include "cuda/host/ops.h"
#include "moa/uniform.h"

namespace moa::cuda {

namespace {

/// x += y. Both are [rows, columns].
template <class X, class Y>
__global__ void add_rows_kernel(const RowAccess<X> x, const RowAccess<Y> y, const int64_t rows,
                                const int64_t columns, const bool aligned) {
  const int64_t column = row_vector();
  if (column >= columns) return;
  const int count = vector_count(column, columns);
  for (int64_t row = blockIdx.y; row < rows; row += gridDim.y) {
    float sum[kVectorElements], term[kVectorElements];
    x.load(row, column, count, aligned, sum);
    y.load(row, column, count, aligned, term);
#pragma unroll
    for (int i = 0; i < kVectorElements; ++i) sum[i] += term[i];
    x.store(row, column, count, aligned, sum);
  }
}

/// out = x. Both are [rows, columns].
template <class X, class Out>
__global__ void copy_rows_kernel(const RowAccess<X> x, const RowAccess<Out> out, const int64_t rows,
                                 const int64_t columns, const bool aligned) {
  const int64_t column = row_vector();
  if (column >= columns) return;
  const int count = vector_count(column, columns);
  for (int64_t row = blockIdx.y; row < rows; row += gridDim.y) {
    float values[kVectorElements];
    x.load(row, column, count, aligned, values);
    out.store(row, column, count, aligned, values);
  }
}

/// Sets every element of out [rows, columns] to the bits of `value`.
template <class T>
__global__ void fill_rows_kernel(T* out, const int64_t stride, const int64_t rows,
                                 const int64_t columns, const T value, const bool aligned) {
  const int64_t column = row_vector();
  if (column >= columns) return;
  const int count = vector_count(column, columns);
  const uint32_t pair =
      sizeof(T) == 2 ? static_cast<uint32_t>(value) * 0x10001u : static_cast<uint32_t>(value);
  for (int64_t row = blockIdx.y; row < rows; row += gridDim.y) {
    T* to = out + row * stride + column;
    if (aligned) {
#pragma unroll
      for (int i = 0; i < kVectorElements * static_cast<int>(sizeof(T)) / kVectorBytes; ++i) {
        reinterpret_cast<uint4*>(to)[i] = make_uint4(pair, pair, pair, pair);
      }
    } else {
      for (int i = 0; i < count; ++i) to[i] = value;
    }
  }
}

/// Element i of out [rows, columns], counted without gaps, = half_width * uniform_unit(seed, i).
template <class T>
__global__ void fill_uniform_kernel(const RowAccess<T> out, const int64_t rows,
                                    const int64_t columns, const uint64_t seed,
                                    const float half_width, const bool aligned) {
  const int64_t column = row_vector();
  if (column >= columns) return;
  const int count = vector_count(column, columns);
  for (int64_t row = blockIdx.y; row < rows; row += gridDim.y) {
    const auto first = static_cast<uint64_t>(row * columns + column);
    float x[kVectorElements];
#pragma unroll
    for (int i = 0; i < kVectorElements; ++i) {
      x[i] = __fmul_rn(half_width, uniform_unit(seed, first + static_cast<uint64_t>(i)));
    }
    out.store(row, column, count, aligned, x);
  }
}

template <class T>
void fill_bits(Context& context, const TensorRef& out, T value) {
  const int64_t rows = out.rows(), columns = out.row_size();
  const RowGrid launch(rows, columns);
  fill_rows_kernel<T><<<launch.grid, launch.block, 0, context.stream>>>(
      static_cast<T*>(out.data), out.row_stride, rows, columns, value,
      aligned_rows({out}, columns));
  MOA_CUDA_CHECK_LAUNCH();
}

template <class Bits, class T>
Bits bits_of(T value) {
  static_assert(sizeof(Bits) == sizeof(T));
  Bits bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

}  // namespace

void add(Context& context, const AddParams& params) {
  TensorRef x = params.x, y = params.y;
  if (x.size() == 0) return;
  flatten_contiguous({&x, &y});
  const int64_t rows = x.rows(), columns = x.row_size();
  const RowGrid launch(rows, columns);
  const bool aligned = aligned_rows({x, y}, columns);
  with_float_type(x.dtype, "x", [&]<class X>() {
    with_float_type(y.dtype, "y", [&]<class Y>() {
      add_rows_kernel<X, Y><<<launch.grid, launch.block, 0, context.stream>>>(
          RowAccess<X>(x), RowAccess<Y>(y), rows, columns, aligned);
    });
  });
  MOA_CUDA_CHECK_LAUNCH();
}

void copy(Context& context, const CopyParams& params) {
  TensorRef x = params.x, out = params.out;
  if (x.size() == 0) return;
  flatten_contiguous({&x, &out});
  const int64_t rows = x.rows(), columns = x.row_size();
  const RowGrid launch(rows, columns);
  const bool aligned = aligned_rows({x, out}, columns);
  with_float_type(x.dtype, "x", [&]<class X>() {
    with_float_type(out.dtype, "out", [&]<class Out>() {
      copy_rows_kernel<X, Out><<<launch.grid, launch.block, 0, context.stream>>>(
          RowAccess<X>(x), RowAccess<Out>(out), rows, columns, aligned);
    });
  });
  MOA_CUDA_CHECK_LAUNCH();
}

void fill(Context& context, const FillParams& params) {
  TensorRef out = params.out;
  if (out.size() == 0) return;
  flatten_contiguous({&out});
  switch (out.dtype) {
    case DType::kF32:
      return fill_bits(context, out, bits_of<uint32_t>(params.value));
    case DType::kI32:
      return fill_bits(context, out, bits_of<uint32_t>(static_cast<int32_t>(params.value)));
    case DType::kF16:
      return fill_bits(context, out, bits_of<uint16_t>(__float2half_rn(params.value)));
    case DType::kBF16:
      return fill_bits(context, out, bits_of<uint16_t>(__float2bfloat16_rn(params.value)));
  }
}

void fill_uniform(Context& context, const FillUniformParams& params) {
  TensorRef out = params.out;
  if (out.size() == 0) return;
  flatten_contiguous({&out});
  const int64_t rows = out.rows(), columns = out.row_size();
  const RowGrid launch(rows, columns);
  // The factor is sqrt(3), because the uniform distribution over [-w, w] has deviation w / sqrt(3).
  const float half_width = params.deviation * 1.7320508f;
  const bool aligned = aligned_rows({out}, columns);
  with_float_type(out.dtype, "out", [&]<class T>() {
    fill_uniform_kernel<T><<<launch.grid, launch.block, 0, context.stream>>>(
        RowAccess<T>(out), rows, columns, params.seed, half_width, aligned);
  });
  MOA_CUDA_CHECK_LAUNCH();
}

}  // namespace moa::cuda
