#include <cmath>

#include "cpu/cpu_ops.h"
#include "cpu/float_convert.h"
#include "moa/uniform.h"

namespace moa::cpu {

void fill_uniform(const FillUniformParams& params) {
  const int64_t columns = params.out.row_size();
  // The factor is sqrt(3), because the uniform distribution over [-w, w] has deviation w / sqrt(3).
  const float half_width = params.deviation * 1.7320508f;
  dispatch_float(params.out.dtype, [&]<class T>(T) {
#pragma omp parallel for schedule(static)
    for (int64_t t = 0; t < params.out.rows(); ++t) {
      T* row = params.out.row<T>(t);
      for (int64_t c = 0; c < columns; ++c) {
        row[c] = from_float<T>(half_width *
                               uniform_unit(params.seed, static_cast<uint64_t>(t * columns + c)));
      }
    }
  });
}

}  // namespace moa::cpu
