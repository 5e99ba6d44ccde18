// ids [tokens], table [vocabulary, columns] -> out [tokens, columns]: the rows of the table that
// ids name, or NaN where the table has no such row. A thread copies eight columns.
// Measured: reports/cuda/2026-11-24-h200
#include "cuda/device/row_access.cuh"
#include "cuda/host/ops.h"

namespace moa::cuda {

namespace {

/// out[t] = table[ids[t]], or NaN where there is no such row. table is [vocabulary, columns], out
/// is [tokens, columns].
template <class Table, class Out>
__global__ void embedding_rows_kernel(const int32_t* ids, const int64_t ids_stride,
                                      const RowAccess<Table> table, const RowAccess<Out> out,
                                      const int64_t tokens, const int64_t vocabulary,
                                      const int64_t columns, const bool aligned) {
  const int64_t column = row_vector();
  if (column >= columns) return;
  const int count = vector_count(column, columns);
  for (int64_t t = blockIdx.y; t < tokens; t += gridDim.y) {
    const int64_t id = ids[t * ids_stride];
    float x[kVectorElements];
    if (id >= 0 && id < vocabulary) {
      table.load(id, column, count, aligned, x);
    } else {
#pragma unroll
      for (int i = 0; i < kVectorElements; ++i) x[i] = __int_as_float(0x7fc00000);
    }
    out.store(t, column, count, aligned, x);
  }
}

}  // namespace

void embedding(Context& context, const EmbeddingParams& params) {
  const int64_t tokens = params.out.rows(), columns = params.out.row_size();
  if (params.out.size() == 0) return;
  const RowGrid launch(tokens, columns);
  const bool aligned = aligned_rows({params.table, params.out}, columns);
  with_float_type(params.table.dtype, "table", [&]<class Table>() {
    with_float_type(params.out.dtype, "out", [&]<class Out>() {
      embedding_rows_kernel<Table, Out><<<launch.grid, launch.block, 0, context.stream>>>(
          static_cast<const int32_t*>(params.ids.data), params.ids.row_stride,
          RowAccess<Table>(params.table), RowAccess<Out>(params.out), tokens, params.table.rows(),
          columns, aligned);
    });
  });
  MOA_CUDA_CHECK_LAUNCH();
}

}  // namespace moa::cuda
