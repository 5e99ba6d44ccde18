#include "cpu/cache_store.h"
#include "cpu/cpu_ops.h"
#include "cpu/parallel.h"
#include "cpu/rotation.h"

namespace moa::cpu {

void decode_append(const DecodeAppendParams& params) {
  CpuKvCache& cache = cpu_cache(params.cache);
  for (const int32_t sequence : params.sequences) {
    cache.reserve(sequence, params.layer, cache.length(sequence), 1);
  }
  const auto* frequencies = static_cast<const float*>(params.inverse_frequencies.data);
  const int64_t head_dim = cache.spec().head_dim, half = head_dim / 2;
  const auto rows = static_cast<int64_t>(params.sequences.size());
  dispatch_float(cache.spec().dtype, [&]<class T>(T) {
#pragma omp parallel for if (params.q.size() + params.k.size() > kParallelElements)
    for (int64_t b = 0; b < rows; ++b) {
      const int32_t sequence = params.sequences[static_cast<size_t>(b)];
      const int32_t position = cache.length(sequence);
      float cosine[kMaxHalfHeadDim], sine[kMaxHalfHeadDim];
      rotation_of(position, frequencies, half, params.scale, false, cosine, sine);
      rotate_heads(params.q.row<float>(b), params.q.shape[1], half, cosine, sine);
      rotate_heads(params.k.row<float>(b), params.k.shape[1], half, cosine, sine);
      for (int h = 0; h < cache.spec().kv_heads; ++h) {
        store_token<T>(cache, cache.head(sequence, params.layer, h), position,
                       params.k.row<const float>(b) + h * head_dim,
                       params.v.row<const float>(b) + h * head_dim);
      }
    }
  });
}

}  // namespace moa::cpu
