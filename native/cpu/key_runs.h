#pragma once
// Where the keys are that the rows of a prefill chunk may see, as runs in order of position, and
// which of them a row sees.
#include <algorithm>
#include <cstdint>

#include "cpu/cpu_kv_cache.h"
#include "moa/ops.h"

namespace moa::cpu {

/// Keys and values of consecutive positions, stored at a constant stride.
struct KeyRun {
  const void* keys = nullptr;    // [count, D]
  const void* values = nullptr;  // [count, D]
  DType dtype = DType::kF32;
  int64_t stride = 0;            // elements between positions
  int32_t first = 0, count = 0;  // positions [first, first + count)
  // Only rows less than `window` positions later see a key; otherwise all later rows do.
  bool windowed = false;
  // May be read up to whole register tiles, in rows and in columns: there are zeros past the end.
  bool padded = false;
};

struct KeyRuns {
  // The cached sinks, the two runs of the ring, the chunk's own sinks and the rest of the chunk.
  static constexpr int kMaxRuns = 5;
  KeyRun runs[kMaxRuns];
  int count = 0;
  int32_t window = 0;

  void add(const KeyRun& whole, int32_t skip, int32_t count_kept, bool windowed) {
    if (count_kept <= 0) return;
    KeyRun run = whole;
    const int64_t skipped_bytes =
        skip * whole.stride * static_cast<int64_t>(bytes_per_element(whole.dtype));
    run.keys = static_cast<const char*>(whole.keys) + skipped_bytes;
    run.values = static_cast<const char*>(whole.values) + skipped_bytes;
    run.first = whole.first + skip;
    run.count = count_kept;
    run.windowed = windowed;
    runs[count++] = run;
  }

  /// The first position of a run that the row at `row_position` sees, if it sees any.
  int32_t first_seen(const KeyRun& run, int32_t row_position) const {
    return run.windowed ? std::max(run.first, row_position - window + 1) : run.first;
  }

  /// The number of keys that at least one row at positions [first, last] sees: the cost of a block
  /// of rows.
  int64_t live_keys(int32_t first, int32_t last) const {
    int64_t keys = 0;
    for (int i = 0; i < count; ++i) {
      const int32_t end = std::min(runs[i].first + runs[i].count, last + 1);
      keys += std::max(0, end - first_seen(runs[i], first));
    }
    return keys;
  }
};

/// The keys and values of the chunk itself for one head: padded f32 copies, [rows, D] at `stride`.
struct ChunkRows {
  const float* keys;
  const float* values;
  int64_t stride;
};

/// The keys that one segment sees in one KV head: first what the cache holds, then the chunk
/// itself, which is appended to the cache only afterwards.
inline KeyRuns key_runs(const AttentionPrefillParams& params, const Segment& segment, int kv_head,
                        const ChunkRows& rows) {
  KeyRuns result;
  KeyRun chunk;
  chunk.keys = rows.keys, chunk.values = rows.values;
  chunk.stride = rows.stride;
  chunk.first = segment.first_position;
  chunk.padded = true;
  if (params.cache == nullptr) {
    result.add(chunk, 0, segment.row_count, false);
    return result;
  }
  const CpuKvCache& cache = cpu_cache(params.cache);
  const int32_t stored = cache.length(segment.sequence);
  HeadSlots slots;
  if (stored > 0) slots = cache.head(segment.sequence, params.layer, kv_head);
  KeyRun cached;
  cached.keys = slots.keys, cached.values = slots.values, cached.dtype = cache.spec().dtype;
  cached.stride = cache.spec().head_dim;
  if (!cache.windowed()) {
    result.add(cached, 0, stored, false);
    result.add(chunk, 0, segment.row_count, false);
    return result;
  }
  const int32_t sink = cache.spec().sink;
  const int32_t capacity = cache.head(segment.sequence, params.layer, kv_head).capacity;
  result.window = capacity - sink;
  result.add(cached, 0, std::min(stored, sink), false);
  const int32_t oldest = std::max(sink, stored - result.window);
  if (stored > oldest) {
    const int32_t slot = ring_slot(oldest, sink, capacity);
    const int32_t before_wrap = std::min(capacity - slot, stored - oldest);
    cached.first = oldest - slot;  // the run that starts at `slot` then has position `oldest`
    result.add(cached, slot, before_wrap, true);
    cached.first = oldest + before_wrap - sink;
    result.add(cached, sink, stored - oldest - before_wrap, true);
  }
  const int32_t own_sinks = std::clamp(sink - chunk.first, 0, segment.row_count);
  result.add(chunk, 0, own_sinks, false);
  result.add(chunk, own_sinks, segment.row_count - own_sinks, true);
  return result;
}

}  // namespace moa::cpu
