// x [rows, columns], a list of rows -> out: gather_rows reads the listed rows of x, scatter_rows
// writes the listed rows of out. Rows are copied as bytes. The list is part of the kernel's
// parameters.
// Measured: reports/cuda/2026-11-24-h200
#include "cuda/host/ops.h"

namespace moa::cuda {

namespace {

// Together with the other parameters below 32,764 bytes, which a launch may have since CUDA 12.1.
constexpr int kListedRows = 8000;
constexpr int kThreads = 256;
constexpr int kUnitsInFlight = 4;  // per thread

struct CopyRowsParams {
  const char* x;
  char* out;
  int64_t x_stride, out_stride;  // bytes between rows
  int64_t row_bytes;
  int32_t count;
  bool scatter;
  int32_t rows[kListedRows];
};

/// gather: out[i] = x[rows[i]]; scatter: out[rows[i]] = x[i]. Rows are copied in units of type
/// Unit.
template <class Unit>
__global__ void copy_rows_kernel(const __grid_constant__ CopyRowsParams p) {
  const int64_t listed = p.rows[blockIdx.y], place = blockIdx.y;
  const auto* from = reinterpret_cast<const Unit*>(p.x + (p.scatter ? place : listed) * p.x_stride);
  auto* to = reinterpret_cast<Unit*>(p.out + (p.scatter ? listed : place) * p.out_stride);
  const int64_t units = p.row_bytes / static_cast<int64_t>(sizeof(Unit));
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kThreads * kUnitsInFlight + threadIdx.x;
  Unit unit[kUnitsInFlight];
#pragma unroll
  for (int i = 0; i < kUnitsInFlight; ++i) {
    if (first + i * kThreads < units) unit[i] = from[first + i * kThreads];
  }
#pragma unroll
  for (int i = 0; i < kUnitsInFlight; ++i) {
    if (first + i * kThreads < units) to[first + i * kThreads] = unit[i];
  }
}

template <class Unit>
void launch(Context& context, const CopyRowsParams& p) {
  const int64_t units = p.row_bytes / static_cast<int64_t>(sizeof(Unit));
  constexpr int64_t kBlockUnits = kThreads * kUnitsInFlight;
  const dim3 grid(static_cast<unsigned>((units + kBlockUnits - 1) / kBlockUnits),
                  static_cast<unsigned>(p.count));
  copy_rows_kernel<Unit><<<grid, kThreads, 0, context.stream>>>(p);
  MOA_CUDA_CHECK_LAUNCH();
}

void copy_rows(Context& context, const RowsParams& params, bool scatter) {
  const auto size = static_cast<int64_t>(bytes_per_element(params.x.dtype));
  CopyRowsParams p{};
  p.x = static_cast<const char*>(params.x.data);
  p.out = static_cast<char*>(params.out.data);
  p.x_stride = params.x.row_stride * size;
  p.out_stride = params.out.row_stride * size;
  p.row_bytes = params.x.row_size() * size;
  p.scatter = scatter;
  if (p.row_bytes == 0) return;
  // The list is taken in pieces. The pointer of the side that it does not index moves on with them.
  for (int64_t first = 0; first < params.rows.count; first += kListedRows) {
    const int64_t left = params.rows.count - first;
    p.count = static_cast<int32_t>(left < kListedRows ? left : kListedRows);
    for (int i = 0; i < p.count; ++i) p.rows[i] = params.rows[static_cast<size_t>(first + i)];
    const auto bits = static_cast<uint64_t>(p.x_stride) | static_cast<uint64_t>(p.out_stride) |
                      static_cast<uint64_t>(p.row_bytes) | reinterpret_cast<uintptr_t>(p.x) |
                      reinterpret_cast<uintptr_t>(p.out);
    if (bits % sizeof(uint4) == 0) {
      launch<uint4>(context, p);
    } else if (bits % sizeof(uint32_t) == 0) {
      launch<uint32_t>(context, p);
    } else {
      launch<uint16_t>(context, p);
    }
    if (scatter) {
      p.x += p.count * p.x_stride;
    } else {
      p.out += p.count * p.out_stride;
    }
  }
}

}  // namespace

void gather_rows(Context& context, const RowsParams& params) {
  copy_rows(context, params, false);
}

void scatter_rows(Context& context, const RowsParams& params) {
  copy_rows(context, params, true);
}

}  // namespace moa::cuda
