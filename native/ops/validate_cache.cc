#include <string>

#include "moa/error.h"
#include "ops/op_checker.h"
#include "ops/validate.h"

namespace moa {

namespace {

// Most sequences, layers or KV heads: far above any model, far below overflow.
constexpr int64_t kMaxDimension = 1 << 16;
constexpr int64_t kMaxLayerEntries = 1 << 22;  // sequences * layers

void check_capacities(const OpChecker& check, const KvCacheSpec& spec) {
  const int64_t expected = spec.policy == CachePolicy::kDynamic
                               ? 0
                               : int64_t{spec.sequences} * spec.layers * spec.kv_heads;
  if (static_cast<int64_t>(spec.capacities.size()) != expected) {
    check.fail(std::to_string(expected) + " values [sequences, layers, kvHeads]", "capacities",
               std::to_string(spec.capacities.size()));
  }
  for (size_t i = 0; i < spec.capacities.size(); ++i) {
    const int32_t capacity = spec.capacities[i];
    if (capacity > spec.sink && capacity % kBlockTokens == 0 && capacity <= kMaxTokens) continue;
    check.fail("a multiple of 64 above sink (" + std::to_string(spec.sink) + ") and at most " +
                   std::to_string(kMaxTokens),
               ("capacities[" + std::to_string(i) + "]").c_str(), std::to_string(capacity));
  }
}

}  // namespace

void validate_cache_spec(const KvCacheSpec& spec) {
  const DeviceTraits traits;
  const OpChecker check("kvCache", traits);
  check.integer_in("sequences", spec.sequences, 1, kMaxDimension + 1);
  check.integer_in("layers", spec.layers, 1, kMaxDimension + 1);
  check.integer_in("kvHeads", spec.kv_heads, 1, kMaxDimension + 1);
  if (int64_t{spec.sequences} * spec.layers > kMaxLayerEntries) {
    check.fail("at most " + std::to_string(kMaxLayerEntries) + " sequences * layers", "sequences",
               std::to_string(spec.sequences));
  }
  check.head_dim("headDim", spec.head_dim);
  if (spec.dtype == DType::kI32) check.fail("f32, f16 or bf16", "dtype", "i32");
  if (spec.sink < 0 || spec.sink % kBlockTokens != 0)
    check.fail("a multiple of 64", "sink", std::to_string(spec.sink));
  check_capacities(check, spec);
}

void validate_cache_advance(const CacheAdvanceParams& p) {
  const DeviceTraits traits;
  const OpChecker check("cacheAdvance", traits);
  check.distinct_sequences(*p.cache, p.sequences);
  if (p.counts.size() != p.sequences.size()) {
    check.fail(std::to_string(p.sequences.size()) + " counts (one for each sequence)", "counts",
               std::to_string(p.counts.size()));
  }
  for (size_t i = 0; i < p.counts.size(); ++i) {
    check.integer_in("counts", p.counts[i], 0, kMaxTokens);
    const int32_t sequence = p.sequences[i];
    const int64_t length = p.cache->enqueued_lengths[static_cast<size_t>(sequence)];
    check.room(*p.cache, sequence, 0, p.cache->spec().layers, length + p.counts[i]);
  }
}

}  // namespace moa
