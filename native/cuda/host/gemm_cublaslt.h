#pragma once
// GEMM by cuBLASLt, which is opened with dlopen: libmoabench_cuda.so loads and runs without it too.
#include <map>
#include <memory>
#include <string>

#include "cuda/host/context.h"
#include "moa/ops.h"

namespace moa::cuda {

struct BlasLtFunctions;
struct BlasLtPlan;

/// Shape, layout and alignment of a product. Products with the same key use the same algorithm.
struct BlasLtKey {
  int64_t m = 0, n = 0, k = 0, a_stride = 0, b_stride = 0, out_stride = 0;
  int32_t a_alignment = 0, b_alignment = 0, out_alignment = 0;
  DType dtype = DType::kF32, out_dtype = DType::kF32;
  bool transpose_b = false, accumulate = false;
  auto operator<=>(const BlasLtKey&) const = default;
};

class BlasLt {
 public:
  /// The BlasLt of the context, which the first call opens.
  static BlasLt& of(Context& context);

  BlasLt();
  ~BlasLt();
  BlasLt(const BlasLt&) = delete;

  /// "cuBLASLt 13.0.2", or why it is missing.
  const std::string& description() const { return description_; }
  /// out (+)= a . b, without the bias. Returns false when cuBLASLt is missing or has no algorithm
  /// for the operands.
  bool matmul(Context& context, const GemmParams& params);
  /// Why matmul did not do this product.
  std::string why_not(const GemmParams& params) const;

 private:
  BlasLtPlan& plan_of(Context& context, const GemmParams& params, const BlasLtKey& key);

  std::unique_ptr<BlasLtFunctions> functions_;
  void* handle_ = nullptr;
  std::string description_;
  std::map<BlasLtKey, std::unique_ptr<BlasLtPlan>> plans_;
};

}  // namespace moa::cuda
