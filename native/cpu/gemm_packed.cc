// Blocked GEMM after Goto and van de Geijn: a block of b is packed into panels of kPanel columns,
// which all threads share and which fit into L3. A panel stays in L1 while strips of kStrip rows of
// a are multiplied by it, and each strip x panel tile of out lives in registers.
#include <algorithm>

#include "cpu/gemm_kernels.h"
#include "cpu/scratch.h"
#include "cpu/simd.h"

namespace moa::cpu {
namespace {

constexpr int kPanelVecs = 2;
constexpr int kPanel = kPanelVecs * kLanes;  // columns of out per register tile
// Rows per strip: kStrip * kPanelVecs accumulators leave the other registers for b and a.
constexpr int kStrip = kManyRegisters ? 12 : 6;
// Depth (K) of a packed panel: 384 x 16 floats are 24 KB, most of an L1.
constexpr int64_t kMaxDepth = 384;
// Columns of a packed block: with kMaxDepth it has 3 MB.
constexpr int64_t kMaxColumns = 2048;
// Rows of a per task: a block of a stays in L2.
constexpr int64_t kBlockRows = 16 * kStrip;
// Multiply-adds that one core does in less time than it takes to wake a thread.
constexpr int64_t kSerialWork = 1 << 18;

struct Block {
  int64_t column, columns, depth_start, depth;
};

/// out[k, kPanel] = columns [column, column + kPanel) of b for the k of the block; columns past N
/// are zero.
template <class T>
void pack_panel(const GemmArgs& args, const Block& block, int64_t column, float* panel) {
  const T* b = static_cast<const T*>(args.b);
  const int64_t columns = std::min<int64_t>(kPanel, args.n - column);
  if (!args.transpose_b) {
    for (int64_t k = 0; k < block.depth; ++k, panel += kPanel) {
      const T* row = b + (block.depth_start + k) * args.b_stride + column;
      if (columns == kPanel) {
        for (int v = 0; v < kPanelVecs; ++v) store(panel + v * kLanes, load(row + v * kLanes));
      } else {
        for (int64_t c = 0; c < kPanel; ++c) panel[c] = c < columns ? to_float(row[c]) : 0.0f;
      }
    }
    return;
  }
  const T* rows = b + column * args.b_stride + block.depth_start;
  int64_t k = 0;
  if (columns == kPanel) {
    for (; k + kLanes <= block.depth; k += kLanes) {
      for (int half = 0; half < kPanelVecs; ++half) {
        Vec square[kLanes];
        for (int i = 0; i < kLanes; ++i)
          square[i] = load(rows + (half * kLanes + i) * args.b_stride + k);
        transpose(square);
        for (int i = 0; i < kLanes; ++i) store(panel + (k + i) * kPanel + half * kLanes, square[i]);
      }
    }
  }
  for (; k < block.depth; ++k) {
    for (int64_t c = 0; c < kPanel; ++c) {
      panel[k * kPanel + c] = c < columns ? to_float(rows[c * args.b_stride + k]) : 0.0f;
    }
  }
}

/// One register tile: out[kRows, kPanel] = a[kRows, depth] . panel, plus what `out` held if `add`,
/// plus `bias` unless it is null.
template <int kRows>
void multiply_tile(const float* a, int64_t a_stride, const float* panel, int64_t depth, float* out,
                   int64_t out_stride, bool add, const float* bias) {
  Vec sums[kRows][kPanelVecs] = {};
  for (int64_t k = 0; k < depth; ++k, panel += kPanel) {
    Vec b[kPanelVecs];
    for (int v = 0; v < kPanelVecs; ++v) b[v] = load_operand(panel + v * kLanes);
    for (int r = 0; r < kRows; ++r) {
      const Vec x = broadcast(a[r * a_stride + k]);
      for (int v = 0; v < kPanelVecs; ++v) sums[r][v] = fmadd(x, b[v], sums[r][v]);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kPanelVecs; ++v) {
      float* to = out + r * out_stride + v * kLanes;
      if (bias != nullptr) sums[r][v] += load(bias + v * kLanes);
      store(to, add ? load(to) + sums[r][v] : sums[r][v]);
    }
  }
}

template <int kRows>
void multiply_rows(int64_t rows, const float* a, int64_t a_stride, const float* panel,
                   int64_t depth, float* out, int64_t out_stride, bool add, const float* bias) {
  if (rows == kRows)
    return multiply_tile<kRows>(a, a_stride, panel, depth, out, out_stride, add, bias);
  if constexpr (kRows > 1) {
    multiply_rows<kRows - 1>(rows, a, a_stride, panel, depth, out, out_stride, add, bias);
  }
}

/// Computes rows [row, row + rows) of one panel of columns.
void multiply_panel(const GemmArgs& args, const Block& block, int64_t row, int64_t rows,
                    int64_t column, const float* panel) {
  const bool first = block.depth_start == 0;
  const bool add = args.accumulate || !first;
  const int64_t columns = std::min<int64_t>(kPanel, args.n - column);
  const bool whole = columns == kPanel;
  float bias_tile[kPanel] = {}, tile[kStrip * kPanel];
  const float* bias = nullptr;
  if (first && args.bias != nullptr) {
    std::copy_n(args.bias + column, columns, bias_tile);
    bias = bias_tile;
  }
  for (int64_t r = row; r < row + rows; r += kStrip) {
    const int64_t count = std::min<int64_t>(kStrip, row + rows - r);
    const float* a = args.a + r * args.a_stride + block.depth_start;
    float* out = args.out + r * args.out_stride + column;
    if (whole) {
      multiply_rows<kStrip>(count, a, args.a_stride, panel, block.depth, out, args.out_stride, add,
                            bias);
      continue;
    }
    multiply_rows<kStrip>(count, a, args.a_stride, panel, block.depth, tile, kPanel, false, bias);
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t c = 0; c < columns; ++c) {
        float& to = out[i * args.out_stride + c];
        to = (add ? to : 0.0f) + tile[i * kPanel + c];
      }
    }
  }
}

template <class T>
void gemm_blocked(const GemmArgs& args) {
  const int threads = threads_for(args.m * args.n * args.k, kSerialWork);
  const int64_t depth_blocks = std::max<int64_t>(1, (args.k + kMaxDepth - 1) / kMaxDepth);
  const int64_t depth_step = (args.k + depth_blocks - 1) / depth_blocks;
  const int64_t columns_step = std::min(kMaxColumns, (args.n + kPanel - 1) / kPanel * kPanel);
  float* packed = scratch_floats(columns_step * std::max<int64_t>(depth_step, 1));
  // Rows are divided into equal blocks of whole strips. When there are few blocks, columns are
  // divided among threads too.
  const int64_t row_blocks =
      std::max<int64_t>((args.m + kBlockRows - 1) / kBlockRows,
                        std::min<int64_t>(threads, (args.m + kStrip - 1) / kStrip));
  const int64_t block_rows =
      ((args.m + row_blocks - 1) / row_blocks + kStrip - 1) / kStrip * kStrip;
#pragma omp parallel num_threads(threads)
  for (int64_t column = 0; column < args.n; column += columns_step) {
    const int64_t columns = std::min(columns_step, args.n - column);
    const int64_t panels = (columns + kPanel - 1) / kPanel;
    const int64_t column_groups = std::clamp<int64_t>(4 * threads / row_blocks, 1, panels);
    for (int64_t d = 0; d < depth_blocks; ++d) {
      const int64_t depth_start = d * depth_step;
      const Block block{column, columns, depth_start, std::min(depth_step, args.k - depth_start)};
#pragma omp for schedule(static)
      for (int64_t p = 0; p < panels; ++p) {
        pack_panel<T>(args, block, column + p * kPanel, packed + p * kPanel * block.depth);
      }
#pragma omp for collapse(2) schedule(dynamic, 1)
      for (int64_t i = 0; i < row_blocks; ++i) {
        for (int64_t g = 0; g < column_groups; ++g) {
          const int64_t row = i * block_rows;
          const int64_t rows = std::min(block_rows, args.m - row);
          for (int64_t p = g * panels / column_groups;
               p < (g + 1) * panels / column_groups && rows > 0; ++p) {
            multiply_panel(args, block, row, rows, column + p * kPanel,
                           packed + p * kPanel * block.depth);
          }
        }
      }
    }
  }
}

}  // namespace

void gemm_packed(const GemmArgs& args) {
  dispatch_float(args.b_dtype, [&](auto zero) { gemm_blocked<decltype(zero)>(args); });
}

}  // namespace moa::cpu
