#include <cstring>

#include "cpu/cpu_ops.h"
#include "cpu/parallel.h"

namespace moa::cpu {

namespace {

const char* row_bytes(const TensorRef& x, int64_t row) {
  return static_cast<const char*>(x.data) +
         static_cast<size_t>(row * x.row_stride) * bytes_per_element(x.dtype);
}

}  // namespace

void gather_rows(const RowsParams& params) {
  const auto count = static_cast<int64_t>(params.rows.size());
  const size_t bytes =
      static_cast<size_t>(params.out.row_size()) * bytes_per_element(params.out.dtype);
#pragma omp parallel for if (params.out.size() > kParallelElements)
  for (int64_t i = 0; i < count; ++i) {
    std::memcpy(const_cast<char*>(row_bytes(params.out, i)),
                row_bytes(params.x, params.rows[static_cast<size_t>(i)]), bytes);
  }
}

void scatter_rows(const RowsParams& params) {
  const auto count = static_cast<int64_t>(params.rows.size());
  const size_t bytes =
      static_cast<size_t>(params.out.row_size()) * bytes_per_element(params.out.dtype);
#pragma omp parallel for if (params.x.size() > kParallelElements)
  for (int64_t i = 0; i < count; ++i) {
    std::memcpy(const_cast<char*>(row_bytes(params.out, params.rows[static_cast<size_t>(i)])),
                row_bytes(params.x, i), bytes);
  }
}

}  // namespace moa::cpu
