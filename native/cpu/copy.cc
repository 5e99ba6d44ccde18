#include <algorithm>

#include "cpu/cpu_ops.h"
#include "cpu/parallel.h"

namespace moa::cpu {

void copy(const CopyParams& params) {
  const int64_t rows = params.x.rows(), columns = params.x.row_size();
#pragma omp parallel for if (rows * columns > kParallelElements)
  for (int64_t t = 0; t < rows; ++t)
    std::copy_n(params.x.row<const float>(t), columns, params.out.row<float>(t));
}

}  // namespace moa::cpu
