// q [B, H, D], a cache with 16-bit elements -> out [B, H, D]: decode attention on tensor cores. The
// kernel and its algorithm are in decode/mma.cuh; this file launches it for each element type and
// head dim.
// Measured: reports/cuda/2026-11-24-h200
#include "cuda/decode/mma.cuh"

namespace moa::cuda {

namespace {

/// Whether entries of dimension 0 start at multiples of `elements` elements.
bool starts_at_multiples(const TensorRef& x, int64_t elements) {
  const auto bytes = static_cast<uintptr_t>(elements) * bytes_per_element(x.dtype);
  return reinterpret_cast<uintptr_t>(x.data) % bytes == 0 &&
         (x.rows() <= 1 || x.row_stride % elements == 0);
}

template <class T, int kHeadDim>
void launch(Context& context, const AttentionDecodeParams& params, const DecodeInput& input) {
  const DecodeLaunch shape = decode_mma_launch(kHeadDim, shared_limits(context));
  DecodeMmaParams<T> kernel_params{};
  kernel_params.input = input;
  kernel_params.q = static_cast<const T*>(params.q.data);
  kernel_params.out = static_cast<T*>(params.out.data);
  kernel_params.q_stride = params.q.row_stride;
  kernel_params.out_stride = params.out.row_stride;
  kernel_params.stages = shape.stages;
  const auto kernel = attention_decode_mma_kernel<T, kHeadDim>;
  allow_shared_memory(kernel, shape.shared_bytes);
  const dim3 grid(input.partials.grid, (input.group + kDecodeHeads - 1) / kDecodeHeads);
  kernel<<<grid, kDecodeMmaThreads, shape.shared_bytes, context.stream>>>(kernel_params);
  MOA_CUDA_CHECK_LAUNCH();
}

}  // namespace

bool attention_decode_mma_takes(const AttentionDecodeParams& params, const CacheView& cache) {
  return cache_swizzled(cache.dtype, cache.head_dim) && params.q.dtype == cache.dtype &&
         params.out.dtype == cache.dtype && starts_at_multiples(params.q, 2) &&
         starts_at_multiples(params.out, 4);
}

void attention_decode_mma(Context& context, const AttentionDecodeParams& params,
                          const CacheView& cache, const DecodeInput& input) {
  with_half_type(cache.dtype, "the KV cache", [&]<class T>() {
    switch (cache.head_dim) {
      case 32:
        return launch<T, 32>(context, params, input);
      case 64:
        return launch<T, 64>(context, params, input);
      case 96:
        return launch<T, 96>(context, params, input);
      case 128:
        return launch<T, 128>(context, params, input);
      case 256:
        return launch<T, 256>(context, params, input);
      default:
        throw Error(ErrorCode::kUnsupported,
                    "Expected a head dim of 32, 64, 96, 128 or 256 for attentionDecode on tensor "
                    "cores but received " +
                        std::to_string(cache.head_dim));
    }
  });
}

}  // namespace moa::cuda
