#include "cpu/cpu_ops.h"
#include "cpu/parallel.h"

namespace moa::cpu {

void add(const AddParams& params) {
  const int64_t rows = params.x.rows(), columns = params.x.row_size();
#pragma omp parallel for if (rows * columns > kParallelElements)
  for (int64_t t = 0; t < rows; ++t) {
    float* x = params.x.row<float>(t);
    const float* y = params.y.row<const float>(t);
#pragma omp simd
    for (int64_t i = 0; i < columns; ++i) x[i] += y[i];
  }
}

}  // namespace moa::cpu
