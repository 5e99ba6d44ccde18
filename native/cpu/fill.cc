#include <algorithm>

#include "cpu/cpu_ops.h"
#include "cpu/float_convert.h"

namespace moa::cpu {

void fill(const FillParams& params) {
  const int64_t columns = params.out.row_size();
  const auto fill_rows = [&]<class T>(T value) {
    for (int64_t t = 0; t < params.out.rows(); ++t)
      std::fill_n(params.out.row<T>(t), columns, value);
  };
  if (params.out.dtype == DType::kI32) {
    fill_rows(static_cast<int32_t>(params.value));
  } else {
    dispatch_float(params.out.dtype, [&]<class T>(T) { fill_rows(from_float<T>(params.value)); });
  }
}

}  // namespace moa::cpu
