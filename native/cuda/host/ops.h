#pragma once
// One function per op. It is called on the stream thread with validated params, launches its
// kernels on context.stream and returns. Throws moa::Error.
#include "cuda/host/context.h"
#include "moa/cuda_abi.h"
#include "moa/ops.h"

namespace moa::cuda {

#define MOA_DECLARE_OP(method, Params) void method(Context& context, const Params& params);
MOA_FOR_EACH_CUDA_OP(MOA_DECLARE_OP)
#undef MOA_DECLARE_OP

/// With a null `cache`, attention is dense and causal within segments.
void attention_prefill(Context& context, const AttentionPrefillParams& params,
                       const CacheView* cache);
void cache_append(Context& context, const CacheAppendParams& params, const CacheView& cache);
void decode_append(Context& context, const DecodeAppendParams& params, const CacheView& cache);
void attention_decode(Context& context, const AttentionDecodeParams& params,
                      const CacheView& cache);
void cache_advance(Context& context, const CacheAdvanceParams& params, const CacheView& cache);
void cache_reset(Context& context, const CacheView& cache, int sequence);
void cache_grow(Context& context, const CacheView& cache, const GrowParams& params);
int64_t decode_plan_bytes(const Context& context, int sequences, int layers, int kv_heads);
void decode_plan(Context& context, const CacheView& cache, View<int32_t> sequences);

void upload(Context& context, const void* host, DType from, const TensorRef& out);
void download(Context& context, const TensorRef& x, void* host);

}  // namespace moa::cuda
