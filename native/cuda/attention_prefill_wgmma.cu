// Prefill attention by wgmma and TMA (sm_90a), f16 and bf16, head dims 64 and 128.
//
// One persistent block per SM walks its list of items (128 query rows of one head each). A producer
// thread feeds queries, keys and values through TMA; two consumer warpgroups take 64 rows each,
// over pairs of key blocks (128 keys), from the diagonal back to the sinks. As FlashAttention-3
// does (arXiv 2407.08608, 3.1 and 3.2):
// - within a warpgroup, Q K^T of the next pair and P V of this one are issued together, and the
//   softmax of the next pair runs while P V is under way;
// - between warpgroups, named barriers pass the turn of issuing, so that one's softmax runs under
//   the other's products;
// - weights stay in registers: accumulators of scores, packed, are the A operand of P V.
// Both halves of a pair are copied on their own, so that sinks and window, which need not be
// neighbours, share pairs and only an odd number of blocks leaves half a pair idle.
//
// NaN: keys that no row of the item sees (the next segment's rows, rows past the diagonal) end the
// last pair; their scores are masked and their values overwritten with zeros. A value that is NaN
// or infinite reaches, through weights of zero, rows of the item that do not see it but are
// computed over its pair of blocks.
#include "cuda/prefill_softmax.cuh"
#include "cuda/prefill_wgmma_tiles.cuh"
#include "cuda/wgmma.cuh"

namespace moa::cuda {

namespace {

using namespace wgmma_tiles;

/// One of the warpgroups that compute; a thread holds rows g and g + 8 of its warp's 16.
template <class T, int kDim>
struct Consumer {
  using L = Layout<kDim>;
  const Shared& shared;
  const int group, warp, lane;
  const float c;  // scale * log2(e)
  PairTurn keys, values;
  float scores[64];     // [64 rows, 128 keys]
  float out[kDim / 2];  // [64 rows, kDim]
  uint32_t weights[kPairKeys / 16][4];
  SoftmaxRows rows;

  __device__ __forceinline__ Consumer(const Shared& shared, float c)
      : shared(shared),
        group(static_cast<int>(threadIdx.x) / kGroupThreads - 1),
        warp(static_cast<int>(threadIdx.x) / 32 % kGroupWarps),
        lane(static_cast<int>(threadIdx.x) % 32),
        c(c) {}

  /// Every warp lets go for itself, once its own products are done.
  __device__ __forceinline__ void release(uint64_t* barrier) {
    if (lane == 0) barrier_arrive(shared_address(barrier));
  }
  __device__ __forceinline__ void wait_keys() {
    barrier_wait(shared_address(&shared.barriers->keys_full[keys.stage()]), keys.parity());
  }
  __device__ __forceinline__ void wait_values() {
    barrier_wait(shared_address(&shared.barriers->values_full[values.stage()]), values.parity());
  }
  __device__ __forceinline__ void release_keys() {
    release(&shared.barriers->keys_empty[keys.stage()]);
    ++keys.count;
  }
  __device__ __forceinline__ void release_values() {
    release(&shared.barriers->values_empty[values.stage()]);
    ++values.count;
  }

  /// Issues scores = Q K^T.
  __device__ __forceinline__ void issue_keys() {
    multiply_rows<T, kDim>(scores, shared.address + L::kQueriesAt + group * L::kQueryBytes,
                           kTmaBoxBytes, shared.address + L::kKeysAt + keys.stage() * L::kPairBytes,
                           L::kPairColumnBytes);
  }
  /// Issues out += P V.
  __device__ __forceinline__ void issue_values() {
    add_weighted_rows<T>(out, weights,
                         shared.address + L::kValuesAt + values.stage() * L::kPairBytes,
                         L::kPairColumnBytes);
  }

  /// Hides keys from rows that do not see them, where a pair has any.
  __device__ __forceinline__ void mask(const PrefillItem& item, int pair) {
    const int32_t first = item.position + group * kGroupRows;
    const int32_t row = first + warp * kWarpRows + lane / 4;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int32_t block = 2 * pair + half;
      if (item.block_whole(block, first, kGroupRows)) continue;
      const int32_t near = row - item.block_position(block) - lane % 4 * 2;
      const int32_t reach = block < item.sink_blocks ? kUnlimitedWindow : item.mask.window;
#pragma unroll
      for (int i = 0; i < 32; ++i) {
        const int32_t distance = near + i / 2 % 2 * 8 - (i / 4 * 8 + i % 2);
        if (distance < 0 || distance >= reach) scores[32 * half + i] = -INFINITY;
      }
    }
  }

  /// Scores become weights, in place. Whether the outputs so far are to be multiplied by `shrink`.
  __device__ __forceinline__ bool softmax(float (&shrink)[2]) {
    float largest[2][2] = {{-INFINITY, -INFINITY}, {-INFINITY, -INFINITY}};  // [tile parity][row]
#pragma unroll
    for (int i = 0; i < 64; ++i) {
      float& x = largest[i / 4 % 2][i / 2 % 2];
      x = fmaxf(x, scores[i]);
    }
    const float both[2] = {fmaxf(largest[0][0], largest[1][0]),
                           fmaxf(largest[0][1], largest[1][1])};
    const bool rose = rows.raise(both, c, shrink);
    const float base[2] = {rows.base(0, c), rows.base(1, c)};
#pragma unroll
    for (int i = 0; i < 64; ++i) {
      scores[i] = exp2_approximate(fmaf(scores[i], c, -base[i / 2 % 2]));
      rows.sum[i / 2 % 2] += scores[i];
    }
    return rose;
  }
  /// Zeros in place of values that no row sees, behind the last pair's keys. Both groups write
  /// them; each waits for its own writes only.
  __device__ __forceinline__ void clear_values(const PrefillItem& item, int pair) {
    const int count = item.block_keys(2 * pair) + item.block_keys(2 * pair + 1);
    if (count == kPairKeys) return;
    clear_rows<kDim>(shared.base + L::kValuesAt + values.stage() * L::kPairBytes,
                     L::kPairColumnBytes, count, kPairKeys);
    named_barrier_sync(kGroupBarrier + group, kGroupThreads);
  }

  /// Divides by the sums and stores.
  __device__ __forceinline__ void store(const PrefillArguments& a, const PrefillItem& item) {
    const int first = group * kGroupRows + warp * kWarpRows;
    float inverse[2];
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const int row = lane / 4 + 8 * r;
      const float total = quad_sum(rows.sum[r]);
      inverse[r] = __fdividef(1.0f, total);
      if (a.log_sum_exp != nullptr && lane % 4 == 0 && first + row < item.rows) {
        a.log_sum_exp[(int64_t{item.row} + first + row) * a.log_sum_exp_stride + item.head] =
            rows.log_sum_exp(r, c, total);
      }
    }
    store_rows<T, kDim>(
        out, inverse,
        shared.base + L::kOutAt + group * L::kQueryBytes + warp * (kWarpRows * kDim * 2),
        static_cast<T*>(a.out) + (int64_t{item.row} + first) * a.out_stride +
            int64_t{item.head} * kDim,
        a.out_stride, item.rows - first, lane);
    __syncwarp();  // before the next item's rows
  }

  __device__ __forceinline__ void attend(const PrefillArguments& a, uint32_t count) {
    barrier_wait(shared_address(&shared.barriers->queries_full[group]), count % 2);
    const PrefillItem item = shared.barriers->items[group];
    float shrink[2];
    rows = SoftmaxRows{};
#pragma unroll
    for (int i = 0; i < kDim / 2; ++i) out[i] = 0;

    int pair = pairs_of(item) - 1;
    wait_keys();
    issue_keys();
    wgmma_wait<0>(scores);
    release_keys();
    mask(item, pair);
    softmax(shrink);
    pack_operand<T>(scores, weights);
    wait_values();
    clear_values(item, pair);
    while (--pair >= 0) {
      wait_keys();
      named_barrier_sync(kTurnBarrier + group, kGroups * kGroupThreads);
      issue_keys();
      wait_values();
      issue_values();
      named_barrier_arrive(kTurnBarrier + (group + 1) % kGroups, kGroups * kGroupThreads);
      wgmma_wait<1>(scores);
      release_keys();
      mask(item, pair);
      const bool rose = softmax(shrink);
      wgmma_wait<0>(out);
      release_values();
      if (rose) {
#pragma unroll
        for (int i = 0; i < kDim / 2; ++i) out[i] *= shrink[i / 2 % 2];
      }
      pack_operand<T>(scores, weights);
    }
    release(&shared.barriers->queries_empty[group]);
    wait_values();
    issue_values();
    wgmma_wait<0>(out);
    release_values();
    store(a, item);
  }

  __device__ __forceinline__ void run(const PrefillArguments& a) {
    const int32_t items = a.item_begin[blockIdx.x + 1] - a.item_begin[blockIdx.x];
    if (group == 1) named_barrier_arrive(kTurnBarrier, kGroups * kGroupThreads);  // group 0 begins
    for (int32_t n = 0; n < items; ++n) attend(a, n);
  }

  // Named barriers: one turn and one of its own for each group.
  static constexpr int kTurnBarrier = 1, kGroupBarrier = kTurnBarrier + kGroups;
};

/// Grid: a.blocks, one per SM; block b does items [item_begin[b], item_begin[b + 1]).
template <class T, int kDim>
__global__ void __launch_bounds__(kThreads, 1)
    attention_prefill_wgmma_kernel(const __grid_constant__ TensorMaps maps,
                                   const __grid_constant__ PrefillArguments a) {
  if constexpr (kHasWgmma) {
    using L = Layout<kDim>;
    extern __shared__ char unaligned[];
    Shared shared;
    shared.base = aligned_to_atom(unaligned);
    shared.address = shared_address(shared.base);
    shared.barriers = reinterpret_cast<Barriers*>(shared.base + L::kBarriersAt);
    if (threadIdx.x == 0) init_barriers(*shared.barriers);
    __syncthreads();
    if (threadIdx.x < kGroupThreads) {
      registers_decrease<kProducerRegisters>();
      if (threadIdx.x == 0) Producer<kDim>{maps, shared}.run(a);
    } else {
      registers_increase<kConsumerRegisters>();
      Consumer<T, kDim>(shared, a.scale * kPrefillLog2E).run(a);
    }
  }
}

template <class T, int kDim>
void launch(Context& context, const PrefillArguments& a) {
  using L = Layout<kDim>;
  const TensorMaps maps{
      encode_rows(a.q, a.dtype, a.q_rows, a.heads, kDim, a.q_stride),
      encode_rows(a.keys, a.dtype, a.key_rows, a.key_heads, kDim, a.key_stride),
      encode_rows(a.values, a.dtype, a.key_rows, a.key_heads, kDim, a.value_stride)};
  MOA_CUDA_CHECK(cudaFuncSetAttribute(attention_prefill_wgmma_kernel<T, kDim>,
                                      cudaFuncAttributeMaxDynamicSharedMemorySize,
                                      L::kSharedBytes));
  attention_prefill_wgmma_kernel<T, kDim>
      <<<static_cast<unsigned>(a.blocks), kThreads, L::kSharedBytes, context.stream>>>(maps, a);
  MOA_CUDA_CHECK_LAUNCH();
}

}  // namespace

void prefill_wgmma(Context& context, const PrefillArguments& a) {
  with_half_type(a.dtype, "attentionPrefill.q", [&]<class T>() {
    switch (a.head_dim) {
      case 64:
        return launch<T, 64>(context, a);
      case 128:
        return launch<T, 128>(context, a);
      default:
        throw Error(ErrorCode::kInternal, "Expected head dim 64 or 128 for prefill_wgmma");
    }
  });
}

}  // namespace moa::cuda
