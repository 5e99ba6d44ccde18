#include "cpu/log_softmax.h"

#include "cpu/cpu_ops.h"
#include "cpu/parallel.h"

namespace moa::cpu {

void log_softmax(const LogSoftmaxParams& params) {
  const int64_t rows = params.logits.rows(), columns = params.logits.row_size();
#pragma omp parallel for if (rows * columns > kParallelElements)
  for (int64_t t = 0; t < rows; ++t) {
    const float* logits = params.logits.row<const float>(t);
    float* out = params.out.row<float>(t);
    const float normalizer = log_sum_exp(logits, columns);
    for (int64_t i = 0; i < columns; ++i) out[i] = logits[i] - normalizer;
  }
}

}  // namespace moa::cpu
