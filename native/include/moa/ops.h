#pragma once
// The op interface in C++: one params struct and one validate per op, shared by every native
// backend. Semantics, shapes and units are documented once, in src/native/backend.ts; names here
// are the same in snake_case. The structs are plain data. Their pointers and views are read only
// while the op runs; whoever enqueues an op keeps them alive until it has run.
#include <cstdint>

#include "moa/tensor.h"
#include "moa/view.h"

namespace moa {

class KvCache;

/// A run of consecutive tokens of one sequence in a packed batch.
struct Segment {
  int32_t row_start, row_count, first_position, sequence;
};

struct GemmParams {
  TensorRef a, b, out, bias;  // bias optional
  bool transpose_b = true, accumulate = false;
};
struct EmbeddingParams {
  TensorRef ids, table, out;
};
struct RmsNormParams {
  TensorRef x, weight, out, residual;  // residual optional
  float epsilon = 0;
};
struct RmsNormBackwardParams {
  TensorRef x, weight, grad_out, grad_x;
  float epsilon = 0;
  bool accumulate = false;
};
struct RopeParams {
  TensorRef q, k, inverse_frequencies;
  View<Segment> segments;
  float scale = 1;
  bool inverse = false;
};
struct SiluMulParams {
  TensorRef gate_up, out;
};
struct SiluMulBackwardParams {
  TensorRef gate_up, grad_out, grad_gate_up;
};
struct AddParams {
  TensorRef x, y;
};
struct CopyParams {
  TensorRef x, out;
};
struct FillParams {
  TensorRef out;
  float value = 0;
};
/// Element i of `out` (row-major) = deviation * sqrt(3) * uniform_unit(seed, i), see uniform.h.
struct FillUniformParams {
  TensorRef out;
  uint64_t seed = 0;
  float deviation = 1;
};
struct RowsParams {
  TensorRef x, out;
  View<int32_t> rows;
};
struct AttentionPrefillParams {
  TensorRef q, k, v, out, log_sum_exp;  // log_sum_exp optional
  View<Segment> segments;
  float scale = 1;
  KvCache* cache = nullptr;  // optional
  int layer = 0;
};
struct CacheAppendParams {
  KvCache* cache = nullptr;
  int layer = 0;
  TensorRef k, v;
  View<Segment> segments;
};
struct DecodeAppendParams {
  KvCache* cache = nullptr;
  int layer = 0;
  TensorRef q, k, v, inverse_frequencies;
  View<int32_t> sequences;
  float scale = 1;
};
struct AttentionDecodeParams {
  KvCache* cache = nullptr;
  int layer = 0;
  TensorRef q, out;
  View<int32_t> sequences;
  float scale = 1;
};
struct CacheAdvanceParams {
  KvCache* cache = nullptr;
  View<int32_t> sequences, counts;
};
struct ArgmaxParams {
  TensorRef logits, out;
};
struct LogSoftmaxParams {
  TensorRef logits, out;
};
struct CrossEntropyParams {
  TensorRef logits, targets, losses, grad_logits;  // grad_logits optional
  float grad_scale = 1;
};
struct AttentionBackwardParams {
  TensorRef q, k, v, out, log_sum_exp, grad_out, grad_q, grad_k, grad_v;
  View<Segment> segments;
  float scale = 1;
};
struct InfluenceParams {
  TensorRef q, k, v, out, log_sum_exp, grad_out, elementwise, elementwise_sink, joint;
  View<Segment> segments;
  float scale = 1, epsilon = 0;
  int sink = 64;
};

}  // namespace moa
