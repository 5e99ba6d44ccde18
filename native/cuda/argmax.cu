#include "cuda/block_reduce.cuh"
#include "cuda/cuda_ops.h"
#include "cuda/row_access.cuh"

namespace moa::cuda {

namespace {

constexpr int kThreads = 512;
constexpr int64_t kMinPart = 4096;  // elements of a row that are worth a CTA of their own
constexpr int kMaxParts = 32;
constexpr int kVectorsInFlight = 4;  // 64 bytes of 16-bit logits a thread: one load would wait
constexpr uint32_t kNanKey = 0xffffffffu;

/// Larger for larger numbers and, of equal ones, for the lower index; largest for NaN. -0 equals 0.
__device__ __forceinline__ uint64_t key_of(float x, uint32_t index) {
  uint32_t bits = __float_as_uint(x);
  if (bits == 0x80000000u) bits = 0;
  const uint32_t ordered = (bits >> 31) != 0 ? ~bits : bits | 0x80000000u;
  return static_cast<uint64_t>(isnan(x) ? kNanKey : ordered) << 32 | ~index;
}

__device__ __forceinline__ int32_t index_of(uint64_t key) {
  return static_cast<uint32_t>(key >> 32) == kNanKey
             ? -1
             : static_cast<int32_t>(~static_cast<uint32_t>(key));
}

/// The larger, NaN if either is.
__device__ __forceinline__ float max_or_nan(float a, float b) {
  float larger;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(larger) : "f"(a), "f"(b));
  return larger;
}

/// A thread's best element so far. It sees elements by increasing index, so of equal ones the first
/// stays; a vector without a larger one costs its maximum only.
struct BestElement {
  uint64_t key = 0;  // below every key
  float value = -INFINITY;

  __device__ __forceinline__ void see(const float (&x)[kVectorElements], int64_t column,
                                      int count) {
    float largest = x[0];
#pragma unroll
    for (int i = 1; i < kVectorElements; ++i) {
      if (i < count) largest = max_or_nan(largest, x[i]);
    }
    if (largest <= value && key != 0) return;  // false for NaN
#pragma unroll
    for (int i = 0; i < kVectorElements; ++i) {
      const uint64_t other = i < count ? key_of(x[i], static_cast<uint32_t>(column) + i) : 0;
      key = other > key ? other : key;
    }
    value = max_or_nan(value, largest);
  }
};

/// Part blockIdx.x of row blockIdx.y: its largest key into partials [rows, parts], or its index
/// into out when it is the only part.
template <class T>
__global__ void __launch_bounds__(kThreads)
    argmax_parts_kernel(const RowAccess<T> logits, int32_t* out, const int64_t out_stride,
                        uint64_t* partials, const int64_t columns, const int64_t part_columns,
                        const bool aligned) {
  __shared__ uint64_t shared[32];
  const int64_t row = blockIdx.y;
  const int64_t end = min(columns, (blockIdx.x + 1) * part_columns);
  constexpr int64_t kStep = kThreads * kVectorElements;
  BestElement element;
  for (int64_t column =
           blockIdx.x * part_columns + static_cast<int64_t>(threadIdx.x) * kVectorElements;
       column < end; column += kVectorsInFlight * kStep) {
    float x[kVectorsInFlight][kVectorElements];
#pragma unroll
    for (int v = 0; v < kVectorsInFlight; ++v) {
      const int64_t at = column + v * kStep;
      if (at < end) logits.load(row, at, vector_count(at, end), aligned, x[v]);
    }
#pragma unroll
    for (int v = 0; v < kVectorsInFlight; ++v) {
      const int64_t at = column + v * kStep;
      if (at < end) element.see(x[v], at, vector_count(at, end));
    }
  }
  const uint64_t best = block_reduce(element.key, uint64_t{0}, shared,
                                     [](uint64_t a, uint64_t b) { return a > b ? a : b; });
  if (threadIdx.x != 0) return;
  if (gridDim.x == 1) {
    out[row * out_stride] = index_of(best);
  } else {
    partials[row * gridDim.x + blockIdx.x] = best;
  }
}

/// One warp a row; parts <= 32.
__global__ void argmax_merge_kernel(const uint64_t* partials, int32_t* out,
                                    const int64_t out_stride, const int parts) {
  const int64_t row = blockIdx.x;
  uint64_t best = static_cast<int>(threadIdx.x) < parts ? partials[row * parts + threadIdx.x] : 0;
  best = warp_reduce(best, [](uint64_t a, uint64_t b) { return a > b ? a : b; });
  if (threadIdx.x == 0) out[row * out_stride] = index_of(best);
}

}  // namespace

void argmax(Context& context, const ArgmaxParams& params) {
  constexpr int64_t kMaxRows = 65535;  // of a grid's second dimension
  const int64_t columns = params.logits.row_size();
  for (int64_t first = 0; first < params.logits.rows(); first += kMaxRows) {
    const int64_t rows = std::min(kMaxRows, params.logits.rows() - first);
    TensorRef logits = params.logits;
    logits.data = static_cast<char*>(logits.data) +
                  first * logits.row_stride * static_cast<int64_t>(bytes_per_element(logits.dtype));
    auto* out = params.out.row<int32_t>(first);
    // Parts of whole vectors, as many as fill the device about twice.
    const int64_t wanted = std::min<int64_t>(kMaxParts, 2 * context.multiprocessors() / rows + 1);
    const int64_t least = std::max(kMinPart, (columns + wanted - 1) / wanted);
    const int64_t part_columns = (least + kVectorElements - 1) / kVectorElements * kVectorElements;
    const int parts = static_cast<int>((columns + part_columns - 1) / part_columns);
    auto* partials =
        parts == 1 ? nullptr : context.scratch_of<uint64_t>(Scratch::kLogitPartials, rows * parts);
    const dim3 grid(static_cast<unsigned>(parts), static_cast<unsigned>(rows));
    const bool aligned = aligned_rows({logits}, columns);
    with_float_type(logits.dtype, "logits", [&]<class T>() {
      argmax_parts_kernel<T><<<grid, kThreads, 0, context.stream>>>(RowAccess<T>(logits), out,
                                                                    params.out.row_stride, partials,
                                                                    columns, part_columns, aligned);
    });
    MOA_CUDA_CHECK_LAUNCH();
    if (parts == 1) continue;
    argmax_merge_kernel<<<static_cast<unsigned>(rows), 32, 0, context.stream>>>(
        partials, out, params.out.row_stride, parts);
    MOA_CUDA_CHECK_LAUNCH();
  }
}

}  // namespace moa::cuda
