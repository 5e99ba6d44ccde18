// Prefill attention by wgmma and TMA (sm_90a), f16 and bf16, head dims 64 and 128.
//
// One persistent block per SM walks its list of items (128 or 192 query rows of one head each). A
// producer thread feeds queries, keys and values through TMA; two or three consumer warpgroups take
// 64 rows each, over pairs of key blocks (128 keys), from the diagonal back to the sinks.
// Warpgroups take turns in issuing, passed on by named barriers, so that one's softmax runs under
// the others' products (FlashAttention-3, arXiv 2407.08608, 3.1), and weights stay in registers:
// accumulators of scores, packed, are the A operand of P V. In which order a warpgroup works:
// prefill/wgmma_overlapped.cuh (head dim 128) and prefill/wgmma_optimistic.cuh (64).
// Both halves of a pair are copied on their own, so that sinks and window, which need not be
// neighbours, share pairs and only an odd number of blocks leaves half a pair idle.
//
// NaN: keys that no row of the item sees (the next segment's rows, rows past the diagonal) end the
// last pair; their scores are masked and their values overwritten with zeros. A value that is NaN
// or infinite reaches, through weights of zero, rows of the item that do not see it but are
// computed over its pair of blocks.
// Measured: reports/cuda/2026-11-24-h200
#include "cuda/prefill/wgmma_optimistic.cuh"
#include "cuda/prefill/wgmma_overlapped.cuh"

namespace moa::cuda {

namespace {

using namespace wgmma_tiles;

enum class Order : uint8_t { kOverlapped, kOptimistic };

/// Grid: a.blocks, one per SM; block b does items [item_begin[b], item_begin[b + 1]).
template <class T, class L, Order kOrder>
__global__ void __launch_bounds__(L::kThreads, 1)
    attention_prefill_wgmma_kernel(const __grid_constant__ TensorMaps maps,
                                   const __grid_constant__ PrefillArguments a) {
  if constexpr (kHasWgmma) {
    extern __shared__ char unaligned[];
    Shared<L> shared;
    shared.base = aligned_to_atom(unaligned);
    shared.address = shared_address(shared.base);
    shared.barriers = reinterpret_cast<decltype(shared.barriers)>(shared.base + L::kBarriersAt);
    if (threadIdx.x == 0) init_barriers(*shared.barriers);
    __syncthreads();
    if (threadIdx.x < kGroupThreads) {
      registers_decrease<L::kProducerRegisters>();
      if (threadIdx.x == 0) Producer<L>{maps, shared}.run(a);
    } else {
      registers_increase<L::kConsumerRegisters>();
      const int group = L::kGroups == 2 ? static_cast<int>(threadIdx.x) / kGroupThreads - 1
                                        : warp_uniform_group();
      Consumer<T, L> own(shared, group, a.scale * kPrefillLog2E);
      const int32_t items = a.item_begin[blockIdx.x + 1] - a.item_begin[blockIdx.x];
      own.begin_turns();
      for (int32_t n = 0; n < items; ++n) {
        if constexpr (kOrder == Order::kOverlapped) {
          attend_overlapped(own, a, n);
        } else {
          attend_optimistic(own, a, n);
        }
      }
    }
  }
}

template <class T, class L, Order kOrder>
void launch(Context& context, const PrefillArguments& a) {
  const TensorMaps maps{
      encode_rows(a.q, a.dtype, a.q_rows, a.heads, L::kDim, a.q_stride),
      encode_rows(a.keys, a.dtype, a.key_rows, a.key_heads, L::kDim, a.key_stride),
      encode_rows(a.values, a.dtype, a.key_rows, a.key_heads, L::kDim, a.value_stride)};
  MOA_CUDA_CHECK(cudaFuncSetAttribute(attention_prefill_wgmma_kernel<T, L, kOrder>,
                                      cudaFuncAttributeMaxDynamicSharedMemorySize,
                                      L::kSharedBytes));
  attention_prefill_wgmma_kernel<T, L, kOrder>
      <<<static_cast<unsigned>(a.blocks), L::kThreads, L::kSharedBytes, context.stream>>>(maps, a);
  MOA_CUDA_CHECK_LAUNCH();
}

/// Two groups of 64 rows and two stages of 32 KiB fill registers and shared memory.
using Wide = Layout<128, 2, 2>;
/// Pairs of 128 keys are 16 KiB each here: four of keys and of values fit beside 192 query rows.
/// Measured against two groups (400 TFLOP/s): 502; with the other order 459.
using Narrow = Layout<64, 3, 4>;

}  // namespace

int32_t prefill_wgmma_block_rows(int64_t head_dim) {
  return kGroupRows * (head_dim == 64 ? Narrow::kGroups : Wide::kGroups);
}

void prefill_wgmma(Context& context, const PrefillArguments& a) {
  with_half_type(a.dtype, "attentionPrefill.q", [&]<class T>() {
    switch (a.head_dim) {
      case 64:
        return launch<T, Narrow, Order::kOptimistic>(context, a);
      case 128:
        return launch<T, Wide, Order::kOverlapped>(context, a);
      default:
        throw Error(ErrorCode::kInternal, "Expected head dim 64 or 128 for prefill_wgmma");
    }
  });
}

}  // namespace moa::cuda
