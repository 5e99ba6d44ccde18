// Prefill attention by wgmma and TMA (sm_90a), f16 and bf16, head dims 64 and 128.
//
// One persistent block per SM walks its list of items (128 or 192 query rows of one head each). A
// producer thread feeds queries, keys and values through TMA; two or three consumer warpgroups take
// 64 rows each, over pairs of key blocks (128 keys), from the diagonal back to the sinks.
// Warpgroups take turns in issuing, passed on by named barriers, so that one's softmax runs under
// the others' products (FlashAttention-3, arXiv 2407.08608, 3.1), and weights stay in registers:
// accumulators of scores, packed, are the A operand of P V. In which order a warpgroup works:
// prefill_wgmma_overlapped.cuh (head dim 128) and prefill_wgmma_optimistic.cuh (64).
// Both halves of a pair are copied on their own, so that sinks and window, which need not be
// neighbours, share pairs and only an odd number of blocks leaves half a pair idle.
//
// NaN: keys that no row of the item sees (the next segment's rows, rows past the diagonal) end the
// last pair; their scores are masked and their values overwritten with zeros. A value that is NaN
// or infinite reaches, through weights of zero, rows of the item that do not see it but are
// computed over its pair of blocks.
#include <cstdlib>
#include <string>

#include "cuda/prefill_wgmma_optimistic.cuh"
#include "cuda/prefill_wgmma_overlapped.cuh"

namespace moa::cuda {

namespace {

using namespace wgmma_tiles;

enum class Order : uint8_t { kOverlapped, kOptimistic, kPolynomial };

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
          attend_optimistic<kOrder == Order::kPolynomial>(own, a, n);
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

/// Ways to do head dim 64: two or three groups of consumers, in this order or that. They stay side
/// by side until measured; MOABENCH_PREFILL_D64 names one.
enum class Narrow : uint8_t { kTwo, kThree, kThreeOverlapped, kThreePolynomial };
struct NamedNarrow {
  const char* name;
  Narrow way;
};
constexpr NamedNarrow kNarrowWays[] = {{"3", Narrow::kThree},  // the first is the default
                                       {"2", Narrow::kTwo},
                                       {"3-overlapped", Narrow::kThreeOverlapped},
                                       {"3-polynomial", Narrow::kThreePolynomial}};

Narrow narrow_way() {
  constexpr const char* kVariable = "MOABENCH_PREFILL_D64";
  static const Narrow way = [] {
    const char* asked = std::getenv(kVariable);
    if (asked == nullptr || *asked == 0) return kNarrowWays[0].way;
    for (const NamedNarrow& named : kNarrowWays) {
      if (std::string(asked) == named.name) return named.way;
    }
    throw_invalid("2, 3, 3-overlapped or 3-polynomial", kVariable, asked);
  }();
  return way;
}

template <class T>
void launch_narrow(Context& context, const PrefillArguments& a) {
  // Pairs of 128 keys are 16 KiB each here: four of keys and of values fit beside 192 query rows.
  using Two = Layout<64, 2, 2>;
  using Three = Layout<64, 3, 4>;
  switch (narrow_way()) {
    case Narrow::kTwo:
      return launch<T, Two, Order::kOverlapped>(context, a);
    case Narrow::kThree:
      return launch<T, Three, Order::kOptimistic>(context, a);
    case Narrow::kThreeOverlapped:
      return launch<T, Three, Order::kOverlapped>(context, a);
    case Narrow::kThreePolynomial:
      return launch<T, Three, Order::kPolynomial>(context, a);
  }
}

}  // namespace

int32_t prefill_wgmma_block_rows(int64_t head_dim) {
  return head_dim == 64 && narrow_way() != Narrow::kTwo ? 3 * kGroupRows : 2 * kGroupRows;
}

void prefill_wgmma(Context& context, const PrefillArguments& a) {
  with_half_type(a.dtype, "attentionPrefill.q", [&]<class T>() {
    switch (a.head_dim) {
      case 64:
        return launch_narrow<T>(context, a);
      case 128:
        return launch<T, Layout<128, 2, 2>, Order::kOverlapped>(context, a);
      default:
        throw Error(ErrorCode::kInternal, "Expected head dim 64 or 128 for prefill_wgmma");
    }
  });
}

}  // namespace moa::cuda
