// q [T, heads, D], k [T, kv_heads, D], inverse frequencies [D / 2], packed segments -> q and k with
// rotary embedding, in place; the inverse rotation is for gradients. A thread block takes a row: it
// computes the rotations once, in shared memory, and applies them to all heads. Segments are part
// of the kernel's parameters.
// Measured: reports/cuda/2026-11-24-h200
#include "cuda/device/row_access.cuh"
#include "cuda/host/ops.h"
#include "cuda/rows/rotation.cuh"

namespace moa::cuda {

namespace {

// Segments per launch: with the other parameters they are below 4 KiB, which every driver takes.
constexpr int kSegments = 224;
constexpr int kMaxHalf = 128;  // head dims reach 256
constexpr int kThreads = 128;

struct Run {
  int32_t end;  // rows of the launch up to the end of this segment
  // Added to a row of the launch, they give its row in the tensors and its position.
  int32_t row_offset, position_offset;
};

/// q [T, heads, 2 * half] and k [T, kv_heads, 2 * half]; either may have no heads.
template <class T>
struct RopeRowsParams {
  RowAccess<T> q, k;
  int64_t heads, kv_heads;
  const float* inverse_frequencies;  // [half]
  int32_t half, runs;
  float scale;
  bool inverse, aligned;
  Run list[kSegments];
};

/// Rotates the pairs (i, i + half) of every head of a row. A CTA takes a row; a thread takes eight
/// pairs at a time.
template <class T>
__global__ void __launch_bounds__(kThreads)
    rope_rows_kernel(const __grid_constant__ RopeRowsParams<T> p) {
  // One place stays unused after every eight, so that threads that are eight apart read different
  // banks.
  __shared__ float2 rotations[kMaxHalf + kMaxHalf / kVectorElements];
  const int row_of_launch = static_cast<int>(blockIdx.x);
  int run = 0;
  for (int past = p.runs; run < past;) {  // finds the first run whose end is past the row
    const int middle = (run + past) / 2;
    if (p.list[middle].end > row_of_launch) {
      past = middle;
    } else {
      run = middle + 1;
    }
  }
  const int64_t row = row_of_launch + p.list[run].row_offset;
  const int position = row_of_launch + p.list[run].position_offset;
  for (int i = static_cast<int>(threadIdx.x); i < p.half; i += kThreads) {
    rotations[i + i / kVectorElements] =
        rotation_of(position, p.inverse_frequencies[i], p.scale, p.inverse);
  }
  __syncthreads();
  const int vectors = (p.half + kVectorElements - 1) / kVectorElements;
  const int items = static_cast<int>(p.heads + p.kv_heads) * vectors;
  for (int item = static_cast<int>(threadIdx.x); item < items; item += kThreads) {
    const int head = item / vectors, pair = item % vectors * kVectorElements;
    const int count = min(kVectorElements, p.half - pair);
    const bool of_q = head < p.heads;
    const RowAccess<T>& x = of_q ? p.q : p.k;
    const int64_t column = (of_q ? head : head - p.heads) * 2 * p.half + pair;
    const float2* turns = rotations + pair + pair / kVectorElements;
    float low[kVectorElements], high[kVectorElements];
    x.load(row, column, count, p.aligned, low);
    x.load(row, column + p.half, count, p.aligned, high);
#pragma unroll
    for (int i = 0; i < kVectorElements; ++i) {
      const float a = low[i], b = high[i], cosine = turns[i].x, sine = turns[i].y;
      low[i] = a * cosine - b * sine;
      high[i] = b * cosine + a * sine;
    }
    x.store(row, column, count, p.aligned, low);
    x.store(row, column + p.half, count, p.aligned, high);
  }
}

/// Rotates q and k together, or only one of them when their dtypes differ.
template <class T>
void rotate(Context& context, const RopeParams& params, bool with_q, bool with_k) {
  RopeRowsParams<T> p{};
  p.q = RowAccess<T>(params.q);
  p.k = RowAccess<T>(params.k);
  p.heads = with_q ? params.q.shape[1] : 0;
  p.kv_heads = with_k ? params.k.shape[1] : 0;
  p.inverse_frequencies = static_cast<const float*>(params.inverse_frequencies.data);
  p.half = static_cast<int32_t>(params.q.shape[2] / 2);
  p.scale = params.scale;
  p.inverse = params.inverse;
  p.aligned = (!with_q || aligned_rows({params.q}, p.half)) &&
              (!with_k || aligned_rows({params.k}, p.half));
  int32_t rows = 0;
  const auto launch = [&] {
    if (rows == 0) return;
    rope_rows_kernel<T><<<static_cast<unsigned>(rows), kThreads, 0, context.stream>>>(p);
    MOA_CUDA_CHECK_LAUNCH();
    rows = 0, p.runs = 0;
  };
  for (const Segment& segment : params.segments) {
    if (segment.row_count == 0) continue;
    if (p.runs == kSegments) launch();
    p.list[p.runs++] = {.end = rows + segment.row_count,
                        .row_offset = segment.row_start - rows,
                        .position_offset = segment.first_position - rows};
    rows += segment.row_count;
  }
  launch();
}

}  // namespace

void rope(Context& context, const RopeParams& params) {
  with_float_type(params.q.dtype, "q", [&]<class Q>() {
    if (params.k.dtype == params.q.dtype) return rotate<Q>(context, params, true, true);
    rotate<Q>(context, params, true, false);
    with_float_type(params.k.dtype, "k",
                    [&]<class K>() { rotate<K>(context, params, false, true); });
  });
}

}  // namespace moa::cuda
