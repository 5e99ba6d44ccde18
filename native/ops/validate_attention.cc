// Checks of RoPE, attention, its backward pass and influence.
#include <algorithm>

#include "ops/op_checker.h"
#include "ops/validate.h"

namespace moa {

namespace {

constexpr int64_t kBinTokens = 64;  // tokens per distance bin of the influence profile

/// The dimensions of queries [T, H, D] and keys [T, Hkv, D]; the other tensors of the op share
/// them.
struct Heads {
  Dim t{"T"}, h{"H"}, kv{"Hkv"}, d{"D"};
};

void check_frequencies(const OpChecker& check, const TensorRef& frequencies, int64_t head_dim) {
  check.head_dim("q", head_dim);
  Dim half{"D / 2", head_dim / 2};
  check.tensor("inverseFrequencies", frequencies, Role::kF32, {&half});
}

void check_qkv(const OpChecker& check, Heads& heads, const TensorRef& q, const TensorRef& k,
               const TensorRef& v) {
  check.tensor("q", q, Role::kActivation, {&heads.t, &heads.h, &heads.d});
  check.tensor("k", k, Role::kActivation, {&heads.t, &heads.kv, &heads.d});
  check.tensor("v", v, Role::kActivation, {&heads.t, &heads.kv, &heads.d});
  check.heads(heads.h.value, heads.kv.value);
  check.head_dim("q", heads.d.value);
}

void take_cache_shape(const KvCache& cache, Heads& heads) {
  heads.kv.value = cache.spec().kv_heads;
  heads.d.value = cache.spec().head_dim;
}

/// Each segment must start at the position where its sequence ends so far.
void check_cached_segments(const OpChecker& check, const KvCache& cache, View<Segment> segments) {
  std::vector<int32_t> sequences;
  sequences.reserve(segments.size());
  for (const Segment& segment : segments) sequences.push_back(segment.sequence);
  check.distinct_sequences(cache, {sequences.data(), static_cast<int64_t>(sequences.size())});
  for (const Segment& segment : segments) {
    const int32_t length = cache.enqueued_lengths[static_cast<size_t>(segment.sequence)];
    if (segment.first_position == length) continue;
    check.fail("first position " + std::to_string(length) + " (the length of sequence " +
                   std::to_string(segment.sequence) + ")",
               "segments", std::to_string(segment.first_position));
  }
}

}  // namespace

void validate_rope(const RopeParams& p, const DeviceTraits& traits) {
  const OpChecker check("rope", traits);
  Heads heads;
  check.tensor("q", p.q, Role::kActivation, {&heads.t, &heads.h, &heads.d});
  check.tensor("k", p.k, Role::kActivation, {&heads.t, &heads.kv, &heads.d});
  check_frequencies(check, p.inverse_frequencies, heads.d.value);
  check.apart("q", p.q, "k", p.k);
  check.apart("q", p.q, "inverseFrequencies", p.inverse_frequencies);
  check.apart("k", p.k, "inverseFrequencies", p.inverse_frequencies);
  check.segments(p.segments, heads.t.value);
  check.finite("scale", p.scale);
}

void validate_attention_prefill(const AttentionPrefillParams& p, const DeviceTraits& traits) {
  const OpChecker check("attentionPrefill", traits);
  Heads heads;
  if (p.cache != nullptr) take_cache_shape(*p.cache, heads);
  check_qkv(check, heads, p.q, p.k, p.v);
  check.tensor("out", p.out, Role::kActivation, {&heads.t, &heads.h, &heads.d});
  check.apart("out", p.out, "q", p.q);
  check.apart("out", p.out, "k", p.k);
  check.apart("out", p.out, "v", p.v);
  if (p.log_sum_exp) {
    check.tensor("logSumExp", p.log_sum_exp, Role::kF32, {&heads.t, &heads.h});
    check.apart("logSumExp", p.log_sum_exp, "out", p.out);
    check.apart("logSumExp", p.log_sum_exp, "q", p.q);
    check.apart("logSumExp", p.log_sum_exp, "k", p.k);
    check.apart("logSumExp", p.log_sum_exp, "v", p.v);
  }
  check.segments(p.segments, heads.t.value);
  check.finite("scale", p.scale);
  if (p.cache == nullptr) return;
  check.layer(*p.cache, p.layer);
  check_cached_segments(check, *p.cache, p.segments);
}

void validate_cache_append(const CacheAppendParams& p, const DeviceTraits& traits) {
  const OpChecker check("cacheAppend", traits);
  Heads heads;
  take_cache_shape(*p.cache, heads);
  check.layer(*p.cache, p.layer);
  check.tensor("k", p.k, Role::kActivation, {&heads.t, &heads.kv, &heads.d});
  check.tensor("v", p.v, Role::kActivation, {&heads.t, &heads.kv, &heads.d});
  check.segments(p.segments, heads.t.value);
  check_cached_segments(check, *p.cache, p.segments);
  for (const Segment& s : p.segments) {
    check.room(*p.cache, s.sequence, p.layer, p.layer + 1, int64_t{s.first_position} + s.row_count);
  }
}

void validate_decode_append(const DecodeAppendParams& p, const DeviceTraits& traits) {
  const OpChecker check("decodeAppend", traits);
  Heads heads;
  take_cache_shape(*p.cache, heads);
  check.layer(*p.cache, p.layer);
  check.distinct_sequences(*p.cache, p.sequences);
  heads.t.value = static_cast<int64_t>(p.sequences.size());
  check_qkv(check, heads, p.q, p.k, p.v);
  check_frequencies(check, p.inverse_frequencies, heads.d.value);
  check.apart("q", p.q, "k", p.k);
  check.apart("q", p.q, "v", p.v);
  check.apart("k", p.k, "v", p.v);
  check.apart("q", p.q, "inverseFrequencies", p.inverse_frequencies);
  check.apart("k", p.k, "inverseFrequencies", p.inverse_frequencies);
  check.finite("scale", p.scale);
  for (const int32_t sequence : p.sequences) {
    const int64_t length = p.cache->enqueued_lengths[static_cast<size_t>(sequence)];
    check.room(*p.cache, sequence, p.layer, p.layer + 1, length + 1);
  }
}

void validate_attention_decode(const AttentionDecodeParams& p, const DeviceTraits& traits) {
  const OpChecker check("attentionDecode", traits);
  Heads heads;
  take_cache_shape(*p.cache, heads);
  check.layer(*p.cache, p.layer);
  check.distinct_sequences(*p.cache, p.sequences);
  heads.t.value = static_cast<int64_t>(p.sequences.size());
  check.tensor("q", p.q, Role::kActivation, {&heads.t, &heads.h, &heads.d});
  check.heads(heads.h.value, heads.kv.value);
  check.tensor("out", p.out, Role::kActivation, {&heads.t, &heads.h, &heads.d});
  check.apart("out", p.out, "q", p.q);
  check.finite("scale", p.scale);
  for (const int32_t sequence : p.sequences) {
    const int64_t length = p.cache->enqueued_lengths[static_cast<size_t>(sequence)];
    check.room(*p.cache, sequence, p.layer, p.layer + 1, length + 1);
  }
}

void validate_attention_backward(const AttentionBackwardParams& p, const DeviceTraits& traits) {
  const OpChecker check("attentionBackward", traits);
  Heads heads;
  check_qkv(check, heads, p.q, p.k, p.v);
  check.tensor("out", p.out, Role::kActivation, {&heads.t, &heads.h, &heads.d});
  check.tensor("logSumExp", p.log_sum_exp, Role::kF32, {&heads.t, &heads.h});
  check.tensor("gradOut", p.grad_out, Role::kActivation, {&heads.t, &heads.h, &heads.d});
  check.tensor("gradQ", p.grad_q, Role::kActivation, {&heads.t, &heads.h, &heads.d});
  check.tensor("gradK", p.grad_k, Role::kActivation, {&heads.t, &heads.kv, &heads.d});
  check.tensor("gradV", p.grad_v, Role::kActivation, {&heads.t, &heads.kv, &heads.d});
  check.segments(p.segments, heads.t.value);
  check.finite("scale", p.scale);
  const std::pair<const char*, const TensorRef&> inputs[] = {{"q", p.q},
                                                             {"k", p.k},
                                                             {"v", p.v},
                                                             {"out", p.out},
                                                             {"logSumExp", p.log_sum_exp},
                                                             {"gradOut", p.grad_out}};
  const std::pair<const char*, const TensorRef&> outputs[] = {
      {"gradQ", p.grad_q}, {"gradK", p.grad_k}, {"gradV", p.grad_v}};
  for (const auto& [field, tensor] : outputs) {
    for (const auto& [other_field, other] : inputs) check.apart(field, tensor, other_field, other);
  }
  check.apart("gradQ", p.grad_q, "gradK", p.grad_k);
  check.apart("gradQ", p.grad_q, "gradV", p.grad_v);
  check.apart("gradK", p.grad_k, "gradV", p.grad_v);
}

void validate_influence(const InfluenceParams& p, const DeviceTraits& traits) {
  const OpChecker check("influence", traits);
  Heads heads;
  check_qkv(check, heads, p.q, p.k, p.v);
  check.tensor("out", p.out, Role::kActivation, {&heads.t, &heads.h, &heads.d});
  check.tensor("logSumExp", p.log_sum_exp, Role::kF32, {&heads.t, &heads.h});
  check.tensor("gradOut", p.grad_out, Role::kActivation, {&heads.t, &heads.h, &heads.d});
  check.segments(p.segments, heads.t.value);
  check.finite("scale", p.scale);
  check.not_negative("epsilon", p.epsilon);
  check.integer_in("sink", p.sink, 0, kMaxTokens);
  Dim bins{"bins"};
  const std::pair<const char*, const TensorRef&> outputs[] = {
      {"elementwise", p.elementwise}, {"elementwiseSink", p.elementwise_sink}, {"joint", p.joint}};
  const std::pair<const char*, const TensorRef&> inputs[] = {{"q", p.q},
                                                             {"k", p.k},
                                                             {"v", p.v},
                                                             {"out", p.out},
                                                             {"logSumExp", p.log_sum_exp},
                                                             {"gradOut", p.grad_out}};
  for (const auto& [field, tensor] : outputs) {
    check.tensor(field, tensor, Role::kF32, {&heads.kv, &bins});
    for (const auto& [other_field, other] : inputs) check.apart(field, tensor, other_field, other);
    for (const auto& [other_field, other] : outputs) {
      if (&other != &tensor) check.apart(field, tensor, other_field, other);
    }
  }
  int32_t longest = 0;
  for (const Segment& segment : p.segments) longest = std::max(longest, segment.row_count);
  const int64_t needed = (longest + kBinTokens - 1) / kBinTokens;
  if (bins.value < needed) {
    check.fail("at least " + std::to_string(needed) + " bins of 64 tokens", "elementwise",
               describe(p.elementwise));
  }
}

}  // namespace moa
