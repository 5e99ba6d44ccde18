// q [T, H, D], keys, values [key rows, key heads, D] -> out [T, H, D], logSumExp [T, H]: prefill
// attention by wgmma and TMA (sm_90a), in f16 and bf16, for head dims 64 and 128.
//
// One persistent thread block per SM goes through its list of items, each of which is 128 or 192
// query rows of one head. A producer thread copies queries, keys and values by TMA. Two or three
// consumer warpgroups take 64 rows each. They go over pairs of key blocks (128 keys), from the
// diagonal back to the sinks. Warpgroups take turns in issuing products, which named barriers pass
// on, so that the softmax of one runs while the tensor cores compute products of the others
// (FlashAttention-3, arXiv 2407.08608, 3.1). Weights stay in registers: packed accumulators of
// scores are the A operand of P V. The order of work within a warpgroup is in
// prefill/wgmma_overlapped.cuh (head dim 128) and prefill/wgmma_optimistic.cuh (head dim 64). The
// two halves of a pair are copied separately, so sinks and window may share a pair although they
// need not be neighbours. Only an odd number of blocks leaves half a pair idle.
//
// NaN: the last pair may end with keys that no row of the item sees (rows past the diagonal, rows
// of the next segment). Their scores are masked, and their values are overwritten with zeros. A
// value that is NaN or infinite also spoils some rows that do not see it, because their weight of
// zero times it is NaN: the rows of the item that are computed over its pair of blocks.
// Measured: reports/cuda/2026-11-24-h200
#include "cuda/prefill/wgmma_optimistic.cuh"
#include "cuda/prefill/wgmma_overlapped.cuh"

namespace moa::cuda {

namespace {

using namespace wgmma_tiles;

enum class Order : uint8_t { kOverlapped, kOptimistic };

/// Grid: a.blocks thread blocks, one per SM. Block b does items [item_begin[b], item_begin[b + 1]).
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

/// Head dim 128: two groups of 64 rows fill the registers; two stages of 32 KiB, for keys and for
/// values, fill shared memory.
using Wide = Layout<128, 2, 2>;
/// Head dim 64: a pair of 128 keys has 16 KiB, so four pairs of keys and four of values fit beside
/// 192 query rows. Measured: 502 TFLOP/s, against 400 with two groups, and 459 with the other
/// order.
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
