#pragma once
// How CTAs that share an item combine their results: they write partial softmaxes and arrival
// counters to scratch memory. The CTA that arrives last merges the partials in the order of the
// CTAs, so that every run gives the same bits.
#include "cuda/decode/plan.h"
#include "cuda/decode/softmax_state.h"
#include "cuda/device/ticket.cuh"

namespace moa::cuda {

/// The maxima, then the sums, of kDecodeHeads heads. They follow the values of a partial.
constexpr int32_t kPartialStates = 2 * kDecodeHeads;

/// The partials of one block of heads. A slot holds values [heads, D] (weighted sums, not yet
/// divided), maxima [8] and sums [8].
struct PartialStore {
  float* partials;    // [blocks of heads][2 grid][slot_floats]
  uint32_t* tickets;  // [blocks of heads][2 levels][2 grid]; zero between launches
  int32_t grid, heads, head_dim;

  static constexpr int64_t slot_floats(int32_t heads, int32_t head_dim) {
    return static_cast<int64_t>(heads) * head_dim + kPartialStates;
  }
  __device__ float* slot(int32_t index) const {
    const int64_t block = static_cast<int64_t>(blockIdx.y) * 2 * grid;
    return partials + (block + index) * slot_floats(heads, head_dim);
  }
  __device__ float* states(float* slot) const { return slot + heads * head_dim; }
  __device__ uint32_t* ticket(int32_t level, int32_t index) const {
    return tickets + (static_cast<int64_t>(blockIdx.y) * 2 + level) * 2 * grid + index;
  }
};

/// Loads past L1, which may hold an old line from before another CTA wrote to it.
__device__ __forceinline__ Quad load_quad_l2(const float* from) {
  const float4 x = __ldcg(reinterpret_cast<const float4*>(from));
  return {x.x, x.y, x.z, x.w};
}
__device__ __forceinline__ void store_quad(float* to, const Quad& x) {
  *reinterpret_cast<Quad*>(to) = x;
}

/// Merges the partials of CTAs first, first + step, ... of an item that starts at `item_first`, and
/// calls write(head, element, part) for every quad of the result. `staging` is shared memory
/// [count, kPartialStates].
template <int kThreads, class Write>
__device__ __forceinline__ void merge_partials(const PartialStore& store, int32_t item_first,
                                               int32_t first, int32_t count, int32_t step,
                                               float* staging, Write write) {
  const auto slot_of = [&](int32_t i) {
    return store.slot(partial_slot(first + i * step, item_first));
  };
  for (int32_t i = threadIdx.x; i < count * kPartialStates; i += kThreads)
    staging[i] = __ldcg(store.states(slot_of(i / kPartialStates)) + i % kPartialStates);
  named_barrier_sync<kThreads>();
  const int32_t quads = store.heads * store.head_dim / kQuad;
#pragma unroll 1
  for (int32_t quad = threadIdx.x; quad < quads; quad += kThreads) {
    const int32_t head = quad * kQuad / store.head_dim;
    const float* states = staging + head;
    const SoftmaxPart part = merge_softmax(
        count, [&](int32_t i) { return states[i * kPartialStates]; },
        [&](int32_t i) { return states[i * kPartialStates + kDecodeHeads]; },
        [&](int32_t i) { return load_quad_l2(slot_of(i) + quad * kQuad); });
    write(head, quad * kQuad - head * store.head_dim, part);
  }
}

/// Writes a quad of a partial. The first quad of a head also writes the head's maximum and sum.
__device__ __forceinline__ void store_partial(const PartialStore& store, float* slot, int32_t head,
                                              int32_t element, const SoftmaxPart& part) {
  store_quad(slot + head * store.head_dim + element, part.values);
  if (element != 0) return;
  store.states(slot)[head] = part.maximum;
  store.states(slot)[kDecodeHeads + head] = part.sum;
}

/// Called after all threads have stored the CTA's partial of `item`. The last CTA of a group to
/// arrive merges the group's partials; the last of these CTAs merges the results of the groups. So
/// exactly one CTA calls write(head, element, part) with the result of the item.
template <int kThreads, class Write>
__device__ __forceinline__ void merge_item(const PartialStore& store, CtaRange item, int32_t cta,
                                           float* staging, int32_t* flag, Write write) {
  const MergeGroup group = merge_group(cta, item);
  const int32_t leader = partial_slot(group.leader, item.first);
  if (!arrive_last<kThreads>(store.ticket(0, leader), group.count, flag)) return;
  if (group.groups == 1) {
    merge_partials<kThreads>(store, item.first, item.first, group.count, 1, staging, write);
    return;
  }
  // The merge is in place: a thread overwrites only values that no other thread reads, and states
  // are overwritten only after all threads have read them.
  float* merged = store.slot(leader);
  merge_partials<kThreads>(store, item.first, group.leader, group.count, 1, staging,
                           [&](int32_t head, int32_t element, const SoftmaxPart& part) {
                             store_partial(store, merged, head, element, part);
                           });
  const int32_t root = partial_slot(item.first, item.first);
  if (!arrive_last<kThreads>(store.ticket(1, root), group.groups, flag)) return;
  merge_partials<kThreads>(store, item.first, item.first, group.groups, kMergeGroup, staging,
                           write);
}

}  // namespace moa::cuda
