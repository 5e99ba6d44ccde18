// Attention of one token per sequence over the live slots of its cache (flash-decoding). The slots
// of every (row, KV head) are cut into pieces (Span) of at most kSpanSlots, so that threads share
// the bytes evenly even when heads keep very different numbers of slots. Each piece gives one
// partial softmax per query head of the group, and the pieces are merged in order. The result does
// not depend on the number of threads.
#include <algorithm>
#include <vector>

#include "cpu/attention_tile.h"
#include "cpu/cpu_kv_cache.h"
#include "cpu/cpu_ops.h"
#include "cpu/scratch.h"

namespace moa::cpu {
namespace {

// 128 KB of f32 keys and values at D = 32: long enough to stream from memory, short enough to be
// divided among threads.
constexpr int32_t kSpanSlots = 512;

/// Slots [first, first + count) of one row's KV head, and where its partial results go.
struct Span {
  HeadSlots slots;
  int row, kv_head;
  int32_t first, count;
};

/// Unnormalized output of one query head over one span: the sum of 2^(score - largest) * value.
struct Partial {
  float* out;  // [D], then largest, then sum
  int depth;
  float& largest() const { return out[depth]; }
  float& sum() const { return out[depth + 1]; }
};

/// scores[j] = q . keys[j] for `count` keys. Whole vectors are written; scores past `count` are
/// -infinity.
template <class T>
void score_keys(const float* q, const T* keys, int count, int depth, float* scores) {
  for (int j = 0; j < count; j += kLanes) {
    const T* key[kLanes];
    for (int i = 0; i < kLanes; ++i)
      key[i] = keys + static_cast<int64_t>(std::min(j + i, count - 1)) * depth;
    Vec sums[kLanes] = {};
    int d = 0;
    for (; d + kLanes <= depth; d += kLanes) {
      const Vec x = load(q + d);
      for (int i = 0; i < kLanes; ++i) sums[i] = fmadd(x, load(key[i] + d), sums[i]);
    }
    Vec score = reduce_add_each(sums);
    for (; d < depth; ++d) {
      for (int i = 0; i < kLanes; ++i) score[i] += q[d] * to_float(key[i][d]);
    }
    if (j + kLanes > count)
      score = lane_indices() < count - j ? score : broadcast(-__builtin_inff());
    store(scores + j, score);
  }
}

/// out[d..] += sum of weights[j] * values[j, d..] for kVecs vectors of dimensions. Even and odd
/// keys have separate sums, which hides the latency of the additions.
template <class T, int kVecs>
void add_values(const float* weights, const T* values, int count, int depth, float* out) {
  Vec even[kVecs], odd[kVecs] = {};
  for (int v = 0; v < kVecs; ++v) even[v] = load(out + v * kLanes);
  int j = 0;
  for (; j + 2 <= count; j += 2, values += 2 * depth) {
    for (int v = 0; v < kVecs; ++v) {
      even[v] = fmadd(weights[j], load(values + v * kLanes), even[v]);
      odd[v] = fmadd(weights[j + 1], load(values + depth + v * kLanes), odd[v]);
    }
  }
  if (j < count) {
    for (int v = 0; v < kVecs; ++v) even[v] = fmadd(weights[j], load(values + v * kLanes), even[v]);
  }
  for (int v = 0; v < kVecs; ++v) store(out + v * kLanes, even[v] + odd[v]);
}

/// Adds one tile of keys and values to the partial result of one query head.
template <class T>
void attend_tile(const float* q, const T* keys, const T* values, int count,
                 const Partial& partial) {
  const int depth = partial.depth;
  float scores[kTileKeys] = {};
  score_keys(q, keys, count, depth, scores);
  Vec largest = load(scores);
  for (int j = kLanes; j < count; j += kLanes) largest = max(load(scores + j), largest);
  const float before = partial.largest();
  const float now = std::max(before, reduce_max(largest));
  float sum = partial.sum();
  if (now > before) {
    const float shrink = exp2(broadcast(before - now))[0];
    sum *= shrink;
    for (int d = 0; d < depth; ++d) partial.out[d] *= shrink;
    partial.largest() = now;
  }
  Vec total{};
  for (int j = 0; j < count; j += kLanes) {
    const Vec weight = exp2(load(scores + j) - now);
    total += weight;
    store(scores + j, weight);
  }
  partial.sum() = sum + reduce_add(total);
  int d = 0;
  for (; d + 4 * kLanes <= depth; d += 4 * kLanes)
    add_values<T, 4>(scores, values + d, count, depth, partial.out + d);
  for (; d + kLanes <= depth; d += kLanes)
    add_values<T, 1>(scores, values + d, count, depth, partial.out + d);
  for (; d < depth; ++d) {
    for (int j = 0; j < count; ++j)
      partial.out[d] += scores[j] * to_float(values[static_cast<int64_t>(j) * depth + d]);
  }
}

/// Computes one span for all query heads of its group, so that keys and values come from memory
/// once. Half-precision tiles that several heads share are converted once.
template <class T>
void attend_span(const Span& span, const float* queries, float* partials, int group, int depth,
                 float* tile) {
  const T* keys = static_cast<const T*>(span.slots.keys) + static_cast<int64_t>(span.first) * depth;
  const T* values =
      static_cast<const T*>(span.slots.values) + static_cast<int64_t>(span.first) * depth;
  for (int g = 0; g < group; ++g) {
    const Partial partial{partials + g * (depth + 2), depth};
    std::fill_n(partial.out, depth, 0.0f);
    partial.largest() = -1e30f;  // finite, so that the first tile's shrink factor is 0 and not NaN
    partial.sum() = 0.0f;
  }
  for (int32_t first = 0; first < span.count; first += kTileKeys) {
    const int count = std::min(kTileKeys, span.count - first);
    const int64_t offset = static_cast<int64_t>(first) * depth;
    if (group == 1 || std::is_same_v<T, float>) {
      for (int g = 0; g < group; ++g) {
        attend_tile(queries + g * depth, keys + offset, values + offset, count,
                    Partial{partials + g * (depth + 2), depth});
      }
      continue;
    }
    float* tile_values = tile + kTileKeys * depth;
    to_floats(keys + offset, tile, static_cast<int64_t>(count) * depth);
    to_floats(values + offset, tile_values, static_cast<int64_t>(count) * depth);
    for (int g = 0; g < group; ++g) {
      attend_tile(queries + g * depth, tile, tile_values, count,
                  Partial{partials + g * (depth + 2), depth});
    }
  }
}

/// out = the outputs of all spans, each weighted by 2^(its largest - the largest of all), divided
/// by the sum of all weights.
void merge_spans(const float* partials, int spans, int64_t stride, int depth, float* out) {
  float largest = partials[depth], sum = 0.0f;
  for (int s = 1; s < spans; ++s) largest = std::max(largest, partials[s * stride + depth]);
  std::fill_n(out, depth, 0.0f);
  for (int s = 0; s < spans; ++s) {
    const float* partial = partials + s * stride;
    const float weight = std::exp2(partial[depth] - largest);
    sum += weight * partial[depth + 1];
    for (int d = 0; d < depth; ++d) out[d] += weight * partial[d];
  }
  for (int d = 0; d < depth; ++d) out[d] /= sum;
}

std::vector<Span> plan_spans(const AttentionDecodeParams& params) {
  const CpuKvCache& cache = cpu_cache(params.cache);
  std::vector<Span> spans;
  for (size_t row = 0; row < params.sequences.size(); ++row) {
    const int32_t sequence = params.sequences[row];
    const int32_t tokens = cache.length(sequence) + 1;
    cache.expect_stored(sequence, params.layer, tokens);
    for (int head = 0; head < cache.spec().kv_heads; ++head) {
      const HeadSlots slots = cache.head(sequence, params.layer, head);
      const int32_t live = live_slots(tokens, slots.capacity);
      const int32_t parts = (live + kSpanSlots - 1) / kSpanSlots;
      const int32_t step = static_cast<int32_t>(round_up((live + parts - 1) / parts, kTileKeys));
      for (int32_t first = 0; first < live; first += step) {
        spans.push_back({slots, static_cast<int>(row), head, first, std::min(step, live - first)});
      }
    }
  }
  return spans;
}

}  // namespace

void attention_decode(const AttentionDecodeParams& params) {
  const std::vector<Span> spans = plan_spans(params);
  const int heads = static_cast<int>(params.q.shape[1]),
            depth = static_cast<int>(params.q.shape[2]);
  const int group = heads / params.cache->spec().kv_heads;
  int64_t slots = 0;
  for (const Span& span : spans) slots += span.count;
  // Elements of keys that one core reads in less time than it takes to wake a thread.
  constexpr int64_t kSerialElements = 1 << 16;
  const int threads = threads_for(slots * depth, kSerialElements);
  const int64_t rows = static_cast<int64_t>(params.sequences.size());
  const int64_t query_floats = whole_lines(rows * heads * depth),
                partial_floats = whole_lines(group * (depth + 2));
  const int64_t tile_floats = whole_lines(2 * kTileKeys * depth),
                span_count = static_cast<int64_t>(spans.size());
  float* queries =
      scratch_floats(query_floats + partial_floats * span_count + tile_floats * threads);
  float* partials = queries + query_floats;
  float* tiles = partials + partial_floats * span_count;
  for (int64_t row = 0; row < rows; ++row) {
    const float* q = params.q.row<float>(row);
    for (int i = 0; i < heads * depth; ++i)
      queries[row * heads * depth + i] = q[i] * (params.scale * kLog2E);
  }
  dispatch_float(params.cache->spec().dtype, [&](auto zero) {
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (int64_t s = 0; s < span_count; ++s) {
      const Span& span = spans[s];
      const float* q =
          queries + (static_cast<int64_t>(span.row) * heads + span.kv_head * group) * depth;
      attend_span<decltype(zero)>(span, q, partials + s * partial_floats, group, depth,
                                  tiles + thread_index() * tile_floats);
    }
  });
  for (int64_t s = 0; s < span_count;) {
    int64_t end = s + 1;
    while (end < span_count && spans[end].row == spans[s].row &&
           spans[end].kv_head == spans[s].kv_head)
      ++end;
    for (int g = 0; g < group; ++g) {
      merge_spans(partials + s * partial_floats + g * (depth + 2), static_cast<int>(end - s),
                  partial_floats, depth,
                  params.out.row<float>(spans[s].row) + (spans[s].kv_head * group + g) * depth);
    }
    s = end;
  }
}

}  // namespace moa::cpu
