// out, gradOut [T, H, D], logSumExp [T, H] -> row sums [H, T], which the kernels of the backward
// pass and the influence need: logSumExp in log2 units, and delta = gradOut . out. 16 threads take
// a row. This file also chooses between those kernels.
// Measured: reports/cuda/2026-11-24-h200
#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <string>

#include "cuda/gradient/launch.cuh"

namespace moa::cuda {
namespace {

constexpr int kRowLanes = 16;  // threads per row, each with 8 of up to 128 elements at a time
constexpr int kRowThreads = 256;

template <class T>
struct RowSumsParams {
  HeadRows<const T> out, grad_out;  // [T, H, D]
  const float* log_sum_exp;         // [T, H]
  int64_t log_sum_stride, tokens;
  int32_t heads, head_dim;
  bool aligned;  // rows start at multiples of 16 bytes
  float2* rows;  // [H, T]
};

template <class T>
__device__ __forceinline__ void load_8(const T* from, bool aligned, T (&x)[8]) {
  if (aligned) {
    constexpr int kWords = sizeof(x) / sizeof(uint4);
#pragma unroll
    for (int i = 0; i < kWords; ++i)
      reinterpret_cast<uint4*>(x)[i] = reinterpret_cast<const uint4*>(from)[i];
  } else {
#pragma unroll
    for (int i = 0; i < 8; ++i) x[i] = from[i];
  }
}

template <class T>
__global__ void __launch_bounds__(kRowThreads) attention_row_sums_kernel(const RowSumsParams<T> p) {
  const int64_t index =
      static_cast<int64_t>(blockIdx.x) * (kRowThreads / kRowLanes) + threadIdx.x / kRowLanes;
  const int lane = threadIdx.x % kRowLanes;
  const int64_t token = index / p.heads;
  const int32_t head = static_cast<int32_t>(index % p.heads);
  const bool valid = token < p.tokens;
  float sum = 0;
  for (int d = lane * 8; valid && d < p.head_dim; d += kRowLanes * 8) {
    alignas(16) T x[8], y[8];
    const int64_t column = static_cast<int64_t>(head) * p.head_dim + d;
    load_8(p.out.row(token, column), p.aligned, x);
    load_8(p.grad_out.row(token, column), p.aligned, y);
#pragma unroll
    for (int i = 0; i < 8; ++i) sum += to_float(x[i]) * to_float(y[i]);
  }
#pragma unroll
  for (int offset = kRowLanes / 2; offset > 0; offset /= 2)
    sum += __shfl_xor_sync(0xffffffffu, sum, offset);
  if (valid && lane == 0) {
    p.rows[head * p.tokens + token] =
        make_float2(p.log_sum_exp[token * p.log_sum_stride + head] * kLog2E, sum);
  }
}

bool aligned_rows(const TensorRef& x) {
  const auto bytes = static_cast<int64_t>(bytes_per_element(x.dtype));
  return reinterpret_cast<uintptr_t>(x.data) % 16 == 0 && x.row_stride * bytes % 16 == 0;
}

constexpr const char* kKernelNames[] = {"simt", "mma", "wgmma"};

std::optional<GradientKernel> kernel_of_environment() {
  const char* value = std::getenv("MOABENCH_GRADIENT_KERNEL");
  const std::string name = value == nullptr ? "" : value;
  if (name.empty()) return std::nullopt;
  for (size_t i = 0; i < std::size(kKernelNames); ++i) {
    if (name == kKernelNames[i]) return static_cast<GradientKernel>(i);
  }
  throw_invalid("simt, mma or wgmma", "MOABENCH_GRADIENT_KERNEL", name);
}

/// Why a kernel cannot run on some tensors: what it expects, and what it received.
struct Mismatch {
  std::string expected, received;  // both empty when it can run
};

using Tensors = std::initializer_list<TensorRef>;

Mismatch against_any(const Tensors& tensors) {
  const TensorRef& q = *tensors.begin();
  for (const TensorRef& x : tensors) {
    if (x.dtype != q.dtype) {
      return {std::string("tensors of one dtype (") + dtype_name(q.dtype) + ")",
              dtype_name(x.dtype)};
    }
  }
  if (q.dtype == DType::kI32) return {"f32, f16 or bf16 tensors", dtype_name(q.dtype)};
  if (q.shape[2] % 8 == 0 && q.shape[2] <= kMaxGradientHeadDim) return {};
  return {"a multiple of 8 up to 256 as head dim", std::to_string(q.shape[2])};
}

Mismatch against_mma(const Context& context, const Tensors& tensors) {
  const TensorRef& q = *tensors.begin();
  const int64_t head_dim = q.shape[2];
  if (context.properties.major < 8) {
    return {"compute capability 8.0 or later", std::to_string(context.properties.major)};
  }
  if (!is_half(q.dtype)) return {"f16 or bf16 tensors", dtype_name(q.dtype)};
  if (head_dim != 32 && head_dim != 64 && head_dim != 96 && head_dim != 128) {
    return {"head dim 32, 64, 96 or 128", std::to_string(head_dim)};
  }
  for (const TensorRef& x : tensors) {
    if (!aligned_rows(x)) {
      return {"rows aligned to 16 bytes", "row stride " + std::to_string(x.row_stride)};
    }
  }
  return {};
}

Mismatch against_wgmma(const Context& context, const Tensors& tensors) {
  const int64_t head_dim = tensors.begin()->shape[2];
  if (!context.is_hopper()) {
    return {"compute capability 9.0", std::to_string(context.properties.major)};
  }
  if (head_dim != 64 && head_dim != 128) return {"head dim 64 or 128", std::to_string(head_dim)};
  return against_mma(context, tensors);
}

Mismatch against(GradientKernel kernel, const Context& context, const Tensors& tensors) {
  switch (kernel) {
    case GradientKernel::kSimt:
      return {};
    case GradientKernel::kMma:
      return against_mma(context, tensors);
    case GradientKernel::kWgmma:
      return against_wgmma(context, tensors);
  }
  throw Error(ErrorCode::kInternal, "Expected a GradientKernel");
}

[[noreturn]] void throw_mismatch(const Mismatch& mismatch, const std::string& name) {
  throw Error(ErrorCode::kUnsupported, "Expected " + mismatch.expected + " for " + name +
                                           " but received " + mismatch.received);
}

}  // namespace

std::vector<SegmentBlocks> segment_blocks(View<Segment> segments, int block_rows, int max_blocks) {
  std::vector<Segment> sorted(segments.begin(), segments.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Segment& a, const Segment& b) { return a.row_count > b.row_count; });
  std::vector<SegmentBlocks> launches;
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (i % kMaxSegmentsPerLaunch == 0) launches.emplace_back();
    SegmentBlocks& launch = launches.back();
    const int32_t rows = sorted[i].row_count;
    launch.entries[launch.count++] = {sorted[i].row_start, rows, launch.blocks};
    launch.blocks += std::min((rows + block_rows - 1) / block_rows, max_blocks);
    launch.longest = std::max(launch.longest, rows);
  }
  return launches;
}

const float2* attention_row_sums(Context& context, const TensorRef& out, const TensorRef& grad_out,
                                 const TensorRef& log_sum_exp) {
  const int64_t tokens = out.rows(), heads = out.shape[1];
  auto* rows = context.scratch_of<float2>(Scratch::kBackwardRows, tokens * heads);
  with_float_type(out.dtype, "out", [&]<class T>() {
    const RowSumsParams<T> p{head_rows<const T>(out),
                             head_rows<const T>(grad_out),
                             static_cast<const float*>(log_sum_exp.data),
                             log_sum_exp.row_stride,
                             tokens,
                             static_cast<int32_t>(heads),
                             static_cast<int32_t>(out.shape[2]),
                             aligned_rows(out) && aligned_rows(grad_out),
                             rows};
    constexpr int kRows = kRowThreads / kRowLanes;
    const auto blocks = static_cast<unsigned>((tokens * heads + kRows - 1) / kRows);
    attention_row_sums_kernel<T><<<blocks, kRowThreads, 0, context.stream>>>(p);
    MOA_CUDA_CHECK_LAUNCH();
  });
  return rows;
}

GradientKernel gradient_kernel(const Context& context, const char* op,
                               std::initializer_list<TensorRef> tensors) {
  static const std::optional<GradientKernel> chosen = kernel_of_environment();
  const Mismatch any = against_any(tensors);
  if (!any.expected.empty()) throw_mismatch(any, op);
  if (chosen.has_value()) {
    const Mismatch mismatch = against(*chosen, context, tensors);
    if (!mismatch.expected.empty()) {
      throw_mismatch(mismatch, std::string(op) + " with MOABENCH_GRADIENT_KERNEL=" +
                                   kKernelNames[static_cast<size_t>(*chosen)]);
    }
    return *chosen;
  }
  for (const GradientKernel kernel : {GradientKernel::kWgmma, GradientKernel::kMma}) {
    if (against(kernel, context, tensors).expected.empty()) return kernel;
  }
  return GradientKernel::kSimt;
}

}  // namespace moa::cuda
