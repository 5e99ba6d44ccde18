// logits [rows, columns] -> out [rows]: the column of the largest element of each row, the first
// one among equals, -1 if the row has a NaN. A row is cut into parts, so that there are enough
// thread blocks to fill the device. The block that finishes last merges the results
// (device/ticket.cuh).
// Measured: reports/cuda/2026-11-24-h200
#include "cuda/device/block_reduce.cuh"
#include "cuda/device/row_access.cuh"
#include "cuda/device/ticket.cuh"
#include "cuda/host/ops.h"

namespace moa::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kVectorsInFlight = 4;  // 64 bytes of 16-bit logits per thread: hides the latency
constexpr int32_t kTurn = kThreads * kVectorElements;  // elements that all threads load together
constexpr int32_t kStep = kTurn * kVectorsInFlight;
constexpr int kMaxParts = 32;           // most parts of a row: one warp merges them
constexpr int kBlocksPerProcessor = 4;  // as many as are resident
constexpr uint32_t kNanKey = 0xffffffffu;

/// A key that orders elements: larger for larger numbers and, among equal numbers, for the lower
/// index. NaN has the largest key, and -0 equals 0.
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

__device__ __forceinline__ uint64_t larger(uint64_t a, uint64_t b) {
  return a > b ? a : b;
}

/// The larger of a and b; NaN if either is NaN.
__device__ __forceinline__ float max_or_nan(float a, float b) {
  float largest;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(largest) : "f"(a), "f"(b));
  return largest;
}

/// The column of the vector in which a thread found the largest element so far. The thread sees
/// vectors in order of columns, so among equal elements the first stays. The exact element is
/// looked up once, at the end.
struct BestVector {
  // Starts with the thread's first column, which is right when all elements are -infinity.
  int32_t column;
  float largest = -INFINITY;

  __device__ __forceinline__ void see(const float (&x)[kVectorElements], int32_t at, int count) {
    float next = max_or_nan(largest, x[0]);
#pragma unroll
    for (int i = 1; i < kVectorElements; ++i) next = max_or_nan(next, i < count ? x[i] : x[0]);
    column = next != largest ? at : column;  // also true for NaN, whose column does not matter
    largest = next;
  }

  template <class T>
  __device__ __forceinline__ uint64_t key(const RowAccess<T>& logits, int64_t row, int32_t end,
                                          bool aligned) const {
    if (column >= end) return 0;  // the thread saw no element: below every key
    float x[kVectorElements];
    const int count = vector_count(column, end);
    logits.load(row, column, count, aligned, x);
    int first = 0;
#pragma unroll
    for (int i = kVectorElements - 1; i >= 0; --i) first = i < count && x[i] == largest ? i : first;
    return key_of(largest, static_cast<uint32_t>(column) + first);
  }
};

struct ArgmaxOutput {
  int32_t* indices;  // [rows], `stride` elements apart
  int64_t stride;
  uint64_t* partials;  // [rows, parts]
  uint32_t* tickets;   // [rows], zero between launches
};

/// The best vector of this thread among columns [begin, end) of a row. Vectors start at `begin`
/// plus multiples of kVectorElements.
template <class T>
__device__ __forceinline__ BestVector best_vector(const RowAccess<T>& logits, int64_t row,
                                                  int32_t begin, int32_t end, bool aligned) {
  int32_t column = begin + static_cast<int32_t>(threadIdx.x) * kVectorElements;
  BestVector best{.column = column};
  for (; column < end - (kStep - kTurn) - kVectorElements + 1; column += kStep) {
    float x[kVectorsInFlight][kVectorElements];
#pragma unroll
    for (int v = 0; v < kVectorsInFlight; ++v)
      logits.load(row, column + v * kTurn, kVectorElements, aligned, x[v]);
#pragma unroll
    for (int v = 0; v < kVectorsInFlight; ++v) best.see(x[v], column + v * kTurn, kVectorElements);
  }
  for (; column < end; column += kTurn) {
    float x[kVectorElements];
    const int count = vector_count(column, end);
    logits.load(row, column, count, aligned, x);
    best.see(x, column, count);
  }
  return best;
}

/// Takes part blockIdx.x of row blockIdx.y. The block that finishes the last part of a row merges
/// all of them.
template <class T>
__global__ void __launch_bounds__(kThreads)
    argmax_rows_kernel(const RowAccess<T> logits, const ArgmaxOutput out, const int32_t columns,
                       const int32_t part_columns, const bool aligned) {
  __shared__ uint64_t shared[32];
  __shared__ int32_t is_last;
  const int64_t row = blockIdx.y;
  const int32_t begin = static_cast<int32_t>(blockIdx.x) * part_columns;
  const int32_t end = min(columns - begin, part_columns) + begin;
  const BestVector best = best_vector(logits, row, begin, end, aligned);
  uint64_t key = block_reduce(best.key(logits, row, end, aligned), uint64_t{0}, shared, larger);
  const int32_t parts = static_cast<int32_t>(gridDim.x);
  if (parts > 1) {
    uint64_t* of_row = out.partials + row * parts;
    if (threadIdx.x == 0) of_row[blockIdx.x] = key;
    if (!arrive_last<kThreads>(out.tickets + row, parts, &is_last)) return;
    const int32_t part = static_cast<int32_t>(threadIdx.x) % 32;
    key = warp_reduce(part < parts ? __ldcg(of_row + part) : uint64_t{0}, larger);
  }
  if (threadIdx.x == 0) out.indices[row * out.stride] = index_of(key);
}

}  // namespace

void argmax(Context& context, const ArgmaxParams& params) {
  constexpr int64_t kMaxRows = 65535;  // limit of the second dimension of a grid
  const int64_t columns = params.logits.row_size();
  for (int64_t first = 0; first < params.logits.rows(); first += kMaxRows) {
    const int64_t rows = std::min(kMaxRows, params.logits.rows() - first);
    TensorRef logits = params.logits;
    logits.data = static_cast<char*>(logits.data) +
                  first * logits.row_stride * static_cast<int64_t>(bytes_per_element(logits.dtype));
    // Parts consist of whole steps. There are no more of them than are resident at once, because
    // merging takes time.
    const int64_t wanted =
        std::clamp<int64_t>(kBlocksPerProcessor * context.multiprocessors() / rows, 1, kMaxParts);
    const int64_t steps = (columns + wanted * kStep - 1) / (wanted * kStep);
    const int64_t part_columns = std::max<int64_t>(steps, 1) * kStep;
    const int64_t parts = std::max<int64_t>(1, (columns + part_columns - 1) / part_columns);
    const ArgmaxOutput out{
        params.out.row<int32_t>(first), params.out.row_stride,
        parts == 1 ? nullptr : context.scratch_of<uint64_t>(Scratch::kLogitPartials, rows * parts),
        parts == 1 ? nullptr : context.scratch_of<uint32_t>(Scratch::kLogitTickets, rows)};
    const dim3 grid(static_cast<unsigned>(parts), static_cast<unsigned>(rows));
    const bool aligned = aligned_rows({logits}, columns);
    with_float_type(logits.dtype, "logits", [&]<class T>() {
      argmax_rows_kernel<T><<<grid, kThreads, 0, context.stream>>>(
          RowAccess<T>(logits), out, static_cast<int32_t>(columns),
          static_cast<int32_t>(part_columns), aligned);
    });
    MOA_CUDA_CHECK_LAUNCH();
  }
}

}  // namespace moa::cuda
