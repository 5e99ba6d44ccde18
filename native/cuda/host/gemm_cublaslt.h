#pragma once
// GEMM by cuBLASLt, opened with dlopen: the library neither needs it to load nor to run.
#include <map>
#include <memory>
#include <string>

#include "cuda/host/context.h"
#include "moa/ops.h"

namespace moa::cuda {

struct BlasLtFunctions;
struct BlasLtPlan;

/// Shape, layout and alignment of one product, by which its algorithm is remembered.
struct BlasLtKey {
  int64_t m = 0, n = 0, k = 0, a_stride = 0, b_stride = 0, out_stride = 0;
  int32_t a_alignment = 0, b_alignment = 0, out_alignment = 0;
  DType dtype = DType::kF32, out_dtype = DType::kF32;
  bool transpose_b = false, accumulate = false;
  auto operator<=>(const BlasLtKey&) const = default;
};

class BlasLt {
 public:
  /// The context's, opened at the first call.
  static BlasLt& of(Context& context);

  BlasLt();
  ~BlasLt();
  BlasLt(const BlasLt&) = delete;

  /// "cuBLASLt 13.0.2", or why it is missing.
  const std::string& description() const { return description_; }
  /// out (+)= a . b without the bias; false when cuBLASLt is missing or has no algorithm for the
  /// operands.
  bool matmul(Context& context, const GemmParams& params);
  /// Of a product that matmul did not do.
  std::string why_not(const GemmParams& params) const;

 private:
  BlasLtPlan& plan_of(Context& context, const GemmParams& params, const BlasLtKey& key);

  std::unique_ptr<BlasLtFunctions> functions_;
  void* handle_ = nullptr;
  std::string description_;
  std::map<BlasLtKey, std::unique_ptr<BlasLtPlan>> plans_;
};

}  // namespace moa::cuda
