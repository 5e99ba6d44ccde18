#pragma once
// One function per op, run on the stream thread with validated params. Activations are f32;
// weights, tables and caches may be f32, f16 or bf16. OpenMP uses the stream thread's own thread
// count (omp_get_max_threads()).
#include "moa/ops.h"

namespace moa::cpu {

void gemm(const GemmParams& params);
void embedding(const EmbeddingParams& params);
void rms_norm(const RmsNormParams& params);
void rms_norm_backward(const RmsNormBackwardParams& params);
void rope(const RopeParams& params);
void silu_mul(const SiluMulParams& params);
void silu_mul_backward(const SiluMulBackwardParams& params);
void add(const AddParams& params);
void copy(const CopyParams& params);
void fill(const FillParams& params);
void fill_uniform(const FillUniformParams& params);
void gather_rows(const RowsParams& params);
void scatter_rows(const RowsParams& params);
void attention_prefill(const AttentionPrefillParams& params);
void cache_append(const CacheAppendParams& params);
void decode_append(const DecodeAppendParams& params);
void attention_decode(const AttentionDecodeParams& params);
void argmax(const ArgmaxParams& params);
void log_softmax(const LogSoftmaxParams& params);
void cross_entropy(const CrossEntropyParams& params);
void attention_backward(const AttentionBackwardParams& params);
void influence(const InfluenceParams& params);

}  // namespace moa::cpu
