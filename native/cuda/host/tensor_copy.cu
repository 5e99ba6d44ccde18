// Host elements -> tensor (upload), and tensor -> host elements (download). Elements of another
// dtype are converted on the device, part by part through staging memory of bounded size.
// Measured: reports/cuda/2026-11-24-h200
#include <functional>

#include "cuda/device/row_access.cuh"
#include "cuda/host/ops.h"

namespace moa::cuda {

namespace {

constexpr int64_t kStagingBytes = int64_t{32} << 20;

/// to = from, rounded to nearest even. Both are [rows, columns].
template <class From, class To>
__global__ void convert_rows_kernel(const RowAccess<From> from, const RowAccess<To> to,
                                    const int64_t rows, const int64_t columns, const bool aligned) {
  const int64_t column = row_vector();
  if (column >= columns) return;
  const int count = vector_count(column, columns);
  for (int64_t row = blockIdx.y; row < rows; row += gridDim.y) {
    float x[kVectorElements];
    from.load(row, column, count, aligned, x);
    to.store(row, column, count, aligned, x);
  }
}

void require_no_capture(const Context& context) {
  if (context.capturing)
    throw Error(ErrorCode::kInternal, "Host memory cannot be copied while a graph is captured");
}

TensorRef matrix(void* data, DType dtype, int64_t rows, int64_t columns) {
  TensorRef x;
  x.data = data;
  x.dtype = dtype;
  x.ndim = 2;
  x.shape[0] = rows;
  x.shape[1] = columns;
  x.row_stride = columns;
  return x;
}

/// int32 is treated as float, because its bits are only moved.
DType as_float(DType dtype) {
  return dtype == DType::kI32 ? DType::kF32 : dtype;
}

void convert(Context& context, const TensorRef& from, const TensorRef& to) {
  const int64_t rows = to.rows(), columns = to.row_size();
  const RowGrid launch(rows, columns);
  const bool aligned = aligned_rows({from, to}, columns);
  with_float_type(as_float(from.dtype), "from", [&]<class From>() {
    with_float_type(as_float(to.dtype), "to", [&]<class To>() {
      convert_rows_kernel<From, To><<<launch.grid, launch.block, 0, context.main_stream>>>(
          RowAccess<From>(from), RowAccess<To>(to), rows, columns, aligned);
    });
  });
  MOA_CUDA_CHECK_LAUNCH();
}

/// Calls f(part, elements before it) for the parts of x, in order. A part has at most `most`
/// elements: whole rows, or a piece of one row.
void for_each_part(const TensorRef& x, int64_t most,
                   const std::function<void(const TensorRef&, int64_t)>& f) {
  const int64_t rows = x.rows(), columns = x.row_size();
  const auto size = static_cast<int64_t>(bytes_per_element(x.dtype));
  const int64_t part_columns = std::min(columns, most),
                part_rows = std::max<int64_t>(1, most / columns);
  for (int64_t row = 0; row < rows; row += part_rows) {
    for (int64_t column = 0; column < columns; column += part_columns) {
      TensorRef part =
          matrix(static_cast<char*>(x.data) + (row * x.row_stride + column) * size, x.dtype,
                 std::min(part_rows, rows - row), std::min(part_columns, columns - column));
      part.row_stride = x.row_stride;
      f(part, row * columns + column);
    }
  }
}

/// Copies host bytes unchanged into the rows of a tensor.
void upload_rows(Context& context, const void* host, const TensorRef& out) {
  const size_t size = bytes_per_element(out.dtype);
  const size_t row_bytes = static_cast<size_t>(out.row_size()) * size;
  MOA_CUDA_CHECK(cudaMemcpy2DAsync(out.data, static_cast<size_t>(out.row_stride) * size, host,
                                   row_bytes, row_bytes, static_cast<size_t>(out.rows()),
                                   cudaMemcpyHostToDevice, context.main_stream));
  MOA_CUDA_CHECK(cudaStreamSynchronize(context.main_stream));  // the caller may reuse `host`
}

}  // namespace

void upload(Context& context, const void* host, DType from, const TensorRef& strided) {
  require_no_capture(context);
  TensorRef out = strided;
  if (out.size() == 0) return;
  flatten_contiguous({&out});
  const auto size = static_cast<int64_t>(bytes_per_element(from));
  if (from == out.dtype) {
    if (out.rows() == 1) return context.write(out.data, host, out.row_size() * size);
    return upload_rows(context, host, out);
  }
  const int64_t most = std::min(out.size(), kStagingBytes / size);
  void* staging = context.scratch(Scratch::kStaging, most * size);
  for_each_part(out, most, [&](const TensorRef& part, int64_t before) {
    context.write(staging, static_cast<const char*>(host) + before * size, part.size() * size);
    convert(context, matrix(staging, from, part.rows(), part.row_size()), part);
  });
}

void download(Context& context, const TensorRef& strided, void* host) {
  require_no_capture(context);
  TensorRef x = strided;
  flatten_contiguous({&x});
  constexpr int64_t kSize = 4;  // bytes of an element on the host: float or int32
  const auto copy = [&](int64_t before, const void* data, int64_t count) {
    MOA_CUDA_CHECK(cudaMemcpyAsync(static_cast<char*>(host) + before * kSize, data,
                                   static_cast<size_t>(count * kSize), cudaMemcpyDeviceToHost,
                                   context.main_stream));
  };
  if (x.size() > 0 && x.rows() == 1 && bytes_per_element(x.dtype) == kSize) {
    copy(0, x.data, x.row_size());
  } else if (x.size() > 0) {
    const int64_t most = std::min(x.size(), kStagingBytes / kSize);
    void* staging = context.scratch(Scratch::kStaging, most * kSize);
    for_each_part(x, most, [&](const TensorRef& part, int64_t before) {
      convert(context, part, matrix(staging, DType::kF32, part.rows(), part.row_size()));
      copy(before, staging, part.size());
    });
  }
  MOA_CUDA_CHECK(cudaStreamSynchronize(context.main_stream));
}

}  // namespace moa::cuda
