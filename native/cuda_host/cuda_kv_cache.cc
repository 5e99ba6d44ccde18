#include "cuda_host/cuda_kv_cache.h"

#include <algorithm>

namespace moa::cuda {

namespace {

int64_t head_count(const KvCacheSpec& spec) {
  return int64_t{spec.sequences} * spec.layers * spec.kv_heads;
}

uint64_t address(const void* data) {
  return reinterpret_cast<uint64_t>(data);
}

}  // namespace

CudaKvCache::CudaKvCache(KvCacheSpec cache_spec, std::shared_ptr<CudaDevice> device,
                         std::shared_ptr<MemoryPool> pool)
    : KvCache(std::move(cache_spec)),
      device_(std::move(device)),
      pool_(std::move(pool)),
      heads_(static_cast<size_t>(head_count(spec())), 0),
      capacities_(static_cast<size_t>(head_count(spec())), 0),
      device_heads_(device_, head_count(spec()) * 8),
      device_capacities_(device_, head_count(spec()) * 4),
      device_lengths_(device_, int64_t{spec().sequences} * 4),
      device_plan_(device_, device_->api().decode_plan_bytes(device_->context(), spec().sequences,
                                                             spec().layers, spec().kv_heads)) {
  if (spec().policy == CachePolicy::kDynamic) {
    grown_.resize(layer_index(spec().sequences, 0));
  } else {
    capacities_ = spec().capacities;
    int64_t bytes = 0;
    for (const int32_t capacity : capacities_) bytes += 2 * capacity * spec().token_bytes();
    arena_ = pool_->allocate(bytes, MemoryKind::kKv, "the KV cache");
    uint64_t next = address(arena_->data());
    for (size_t i = 0; i < heads_.size(); ++i) {
      heads_[i] = next;
      next += static_cast<uint64_t>(2 * capacities_[i] * spec().token_bytes());
    }
  }
  view_.heads = device_heads_.as<uint64_t>();
  view_.capacities = device_capacities_.as<int32_t>();
  view_.host_capacities = capacities_.data();
  view_.lengths = device_lengths_.as<int32_t>();
  view_.plan = device_plan_.as<void>();
  view_.sequences = spec().sequences;
  view_.layers = spec().layers;
  view_.kv_heads = spec().kv_heads;
  view_.head_dim = spec().head_dim;
  view_.sink = spec().sink;
  view_.dtype = spec().dtype;
  view_.windowed = windowed();
}

const CacheView& CudaKvCache::view() {
  if (!tables_written_) write_tables();
  if (lengths_stale_) write_lengths();
  return view_;
}

void CudaKvCache::write_tables() {
  const auto count = static_cast<int64_t>(heads_.size());
  const Api& api = device_->api();
  Context* context = device_->context();
  device_->check(api.write_bytes(context, heads_.data(), count * 8, device_heads_.as<uint64_t>()));
  device_->check(
      api.write_bytes(context, capacities_.data(), count * 4, device_capacities_.as<int32_t>()));
  tables_written_ = true;
}

void CudaKvCache::write_layer_tables(int sequence, int layer) {
  const size_t first = head_index(sequence, layer);
  const int64_t count = spec().kv_heads;
  const Api& api = device_->api();
  Context* context = device_->context();
  device_->check(api.write_bytes(context, heads_.data() + first, count * 8,
                                 device_heads_.as<uint64_t>() + first));
  device_->check(api.write_bytes(context, capacities_.data() + first, count * 4,
                                 device_capacities_.as<int32_t>() + first));
}

void CudaKvCache::plan_decode(View<int32_t> sequences, uint64_t recording) {
  if (planned_recording_ == recording &&
      std::equal(sequences.begin(), sequences.end(), planned_sequences_.begin(),
                 planned_sequences_.end()))
    return;
  device_->check(device_->api().decode_plan(device_->context(), &view(), sequences));
  planned_sequences_.assign(sequences.begin(), sequences.end());
  planned_recording_ = recording;
}

void CudaKvCache::grow(int sequence, int layer, int32_t kept, int32_t tokens) {
  const int64_t head_bytes = 2 * tokens * spec().token_bytes();
  auto buffer =
      pool_->allocate(spec().kv_heads * head_bytes, MemoryKind::kKv, "the dynamic KV cache");
  const size_t first = head_index(sequence, layer);
  std::vector<uint64_t> heads(static_cast<size_t>(spec().kv_heads));
  for (size_t h = 0; h < heads.size(); ++h)
    heads[h] = address(buffer->data()) + h * static_cast<uint64_t>(head_bytes);
  if (kept > 0) {
    GrowParams params;
    params.old_heads = heads_.data() + first;
    params.new_heads = heads.data();
    params.kv_heads = spec().kv_heads;
    params.tokens = kept;
    params.old_capacity = stored_tokens(sequence, layer);
    params.new_capacity = tokens;
    device_->check(device_->api().cache_grow(device_->context(), &view(), &params));
  }
  std::copy(heads.begin(), heads.end(), heads_.begin() + static_cast<int64_t>(first));
  std::fill_n(capacities_.begin() + static_cast<int64_t>(first), spec().kv_heads, tokens);
  // This frees the old buffer; as that happens in stream order, the copy is done before.
  grown_[layer_index(sequence, layer)] = std::move(buffer);
  write_layer_tables(sequence, layer);
}

void CudaKvCache::write_lengths() {
  device_->check(device_->api().write_bytes(device_->context(), lengths().data(),
                                            int64_t{spec().sequences} * 4,
                                            device_lengths_.as<int32_t>()));
  lengths_stale_ = false;
}

void CudaKvCache::reset(int sequence) {
  KvCache::reset(sequence);
  planned_sequences_.clear();
  if (device_->api().cache_reset(device_->context(), &view_, sequence) != 0) lengths_stale_ = true;
  if (spec().policy != CachePolicy::kDynamic) return;
  for (int layer = 0; layer < spec().layers; ++layer) grown_[layer_index(sequence, layer)].reset();
}

void CudaKvCache::advance(View<int32_t> sequences, View<int32_t> counts, bool complete) {
  KvCache::advance(sequences, counts, complete);
  planned_sequences_.clear();
  CacheAdvanceParams params;
  params.sequences = sequences;
  params.counts = counts;
  if (device_->api().cache_advance(device_->context(), &params, &view_) != 0) lengths_stale_ = true;
}

}  // namespace moa::cuda
