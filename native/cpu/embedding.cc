#include <algorithm>
#include <limits>

#include "cpu/cpu_ops.h"
#include "cpu/float_convert.h"
#include "cpu/parallel.h"

namespace moa::cpu {

void embedding(const EmbeddingParams& params) {
  const auto* ids = static_cast<const int32_t*>(params.ids.data);
  const int64_t tokens = params.out.rows(), columns = params.out.row_size(),
                vocabulary = params.table.rows();
  dispatch_float(params.table.dtype, [&]<class T>(T) {
#pragma omp parallel for if (tokens * columns > kParallelElements)
    for (int64_t t = 0; t < tokens; ++t) {
      float* out = params.out.row<float>(t);
      const int32_t id = ids[t];
      if (id < 0 || id >= vocabulary) {
        std::fill_n(out, columns, std::numeric_limits<float>::quiet_NaN());
      } else {
        to_floats(params.table.row<const T>(id), out, columns);
      }
    }
  });
}

}  // namespace moa::cpu
