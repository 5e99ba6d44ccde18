// lengths [sequences] and capacities [sequences, layers, kv_heads] -> the plan of one decode step,
// for every layer. Prefix sums over the items' tiles, with the arithmetic of decode/plan.h.
// Measured: reports/cuda/2026-11-24-h200
#include "cuda/cache/sequence_list.h"
#include "cuda/decode/attention.cuh"
#include "cuda/host/ops.h"

namespace moa::cuda {

namespace {

constexpr int kPlanThreads = 512;

struct PlanParams {
  void* plan;
  const int32_t* lengths;     // [sequences]
  const int32_t* capacities;  // [sequences, layers, kv_heads]
  PlanLayout layout;
  int32_t layers, kv_heads, grid, min_tiles;
  bool windowed;
  // Of the step's `rows`, this launch takes those in `sequences`; `first_row` is the first of them.
  int32_t first_row, rows;
  SequenceList sequences;
};

__device__ int32_t slots_of(const PlanParams& params, int32_t layer, int32_t item) {
  const int32_t row = item / params.kv_heads, head = item - row * params.kv_heads;
  const int32_t sequence = params.sequences.values[row - params.first_row];
  const int64_t index =
      (static_cast<int64_t>(sequence) * params.layers + layer) * params.kv_heads + head;
  const int32_t capacity = params.windowed ? params.capacities[index] : 0;
  return decode_slots(params.lengths[sequence], capacity, params.windowed);
}

/// Returns the sum of `value` over the threads before this one; `total` gets the sum over all
/// threads.
__device__ int32_t sum_before(int32_t value, int32_t* total) {
  constexpr int kWarps = kPlanThreads / 32;
  __shared__ int32_t warp_sums[kWarps];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  int32_t inclusive = value;
  for (int distance = 1; distance < 32; distance *= 2) {
    const int32_t before = __shfl_up_sync(0xffffffffu, inclusive, distance);
    if (lane >= distance) inclusive += before;
  }
  if (lane == 31) warp_sums[warp] = inclusive;
  __syncthreads();
  int32_t earlier = 0;
  *total = 0;
  for (int w = 0; w < kWarps; ++w) {
    if (w < warp) earlier += warp_sums[w];
    *total += warp_sums[w];
  }
  return earlier + inclusive - value;
}

/// One CTA per layer. A step with more rows than one launch takes needs several launches; the last
/// of them divides the tiles among CTAs.
__global__ void __launch_bounds__(kPlanThreads)
    decode_plan_prefix_sum_kernel(const __grid_constant__ PlanParams params) {
  const int32_t layer = blockIdx.x;
  const PlanView plan = params.layout.view(params.plan, layer);
  const int32_t first = params.first_row * params.kv_heads;
  const int32_t end = first + params.sequences.count * params.kv_heads;
  const int32_t share = (end - first + kPlanThreads - 1) / kPlanThreads;
  const int32_t from = min(end, first + static_cast<int32_t>(threadIdx.x) * share);
  const int32_t to = min(end, from + share);

  int32_t own = 0;
  for (int32_t item = from; item < to; ++item) own += tiles_of(slots_of(params, layer, item));
  int32_t total = 0;
  int32_t tile = sum_before(own, &total);
  const PlanItem last = first == 0 ? PlanItem{} : plan.items[first - 1];
  const int32_t before = last.first_tile + tiles_of(last.slots);
  tile += before;
  for (int32_t item = from; item < to; ++item) {
    const int32_t row = item / params.kv_heads;
    const int32_t slots = slots_of(params, layer, item);
    plan.items[item] = {tile, slots, params.sequences.values[row - params.first_row], row};
    tile += tiles_of(slots);
  }
  if (params.first_row + params.sequences.count < params.rows) return;

  __syncthreads();  // all items are written
  const int32_t tiles = before + total;
  const int32_t ctas = cta_count(tiles, params.grid, params.min_tiles);
  if (threadIdx.x == 0) *plan.header = {ctas, tiles, end, 0};
  for (int32_t cta = threadIdx.x; cta <= ctas; cta += kPlanThreads) {
    const int32_t start = cta_first_tile(cta, tiles, ctas);
    const auto first_tile = [&](int32_t item) { return plan.items[item].first_tile; };
    const int32_t item = cta == ctas ? end : item_at(start, end, first_tile);
    plan.ctas[cta] = {start, item, cta == ctas ? tiles : first_tile(item), 0};
  }
  for (int32_t item = threadIdx.x; item < end; item += kPlanThreads) {
    const PlanItem entry = plan.items[item];
    plan.shared[item] =
        ctas_of_item(entry.first_tile, entry.first_tile + tiles_of(entry.slots), tiles, ctas);
  }
}

}  // namespace

int64_t decode_plan_bytes(const Context& context, int sequences, int layers, int kv_heads) {
  return plan_layout(context, sequences, kv_heads).layer_bytes() * layers;
}

void decode_plan(Context& context, const CacheView& cache, View<int32_t> sequences) {
  PlanParams params{};
  params.plan = cache.plan;
  params.lengths = cache.lengths;
  params.capacities = cache.capacities;
  params.layout = plan_layout(context, cache.sequences, cache.kv_heads);
  params.layers = cache.layers;
  params.kv_heads = cache.kv_heads;
  params.grid = decode_grid(context, cache);
  params.min_tiles =
      min_tiles_per_cta(cache.head_dim * static_cast<int32_t>(bytes_per_element(cache.dtype)));
  params.windowed = cache.windowed;
  params.rows = static_cast<int32_t>(sequences.count);
  for_each_sequence_list(sequences, [&](int32_t first, const SequenceList& list) {
    params.first_row = first;
    params.sequences = list;
    decode_plan_prefix_sum_kernel<<<cache.layers, kPlanThreads, 0, context.stream>>>(params);
    MOA_CUDA_CHECK_LAUNCH();
  });
}

}  // namespace moa::cuda
