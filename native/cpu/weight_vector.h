#pragma once
#include <vector>

#include "cpu/float_convert.h"
#include "moa/tensor.h"

namespace moa::cpu {

/// A weight [C] as f32: the tensor's own data, or a converted copy that lives as long as one op.
/// data() is null when the op has no such weight.
class WeightVector {
 public:
  explicit WeightVector(const TensorRef& weight) {
    if (weight.dtype == DType::kF32) {
      data_ = static_cast<const float*>(weight.data);
      return;
    }
    converted_.resize(static_cast<size_t>(weight.size()));
    dispatch_float(weight.dtype, [&]<class T>(T) {
      to_floats(static_cast<const T*>(weight.data), converted_.data(), weight.size());
    });
    data_ = converted_.data();
  }
  const float* data() const { return data_; }

 private:
  std::vector<float> converted_;
  const float* data_ = nullptr;
};

}  // namespace moa::cpu
