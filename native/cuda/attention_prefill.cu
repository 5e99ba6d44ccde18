// Prefill attention: which kernel, which blocks of queries in which order, and the keys they read.
//
// The host cuts every segment and head into items of 64 or 128 query rows and orders them: KV heads
// in groups whose keys and values fit half of L2, within a group the costliest items first and the
// query heads of a KV head next to each other. Kernels with one block per item take them in that
// order; for the persistent kernel each item goes to the block with the least to do so far. Costs
// are known exactly, so a list made here needs no counter on the device, and nothing depends on
// timing. The list is uploaded when it differs from the last one.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <queue>
#include <string>
#include <vector>

#include "cuda/cuda_ops.h"
#include "cuda/element.h"
#include "cuda/prefill_launch.h"

namespace moa::cuda {

namespace {

/// Keys and values of one segment and KV head, and the mask over them.
struct HeadKeys {
  PrefillMask mask;
  int32_t segment = 0, kv_head = 0;
  int32_t position = 0;            // of the segment's first row
  int32_t key_row = 0, key_head = 0;  // in the source
  int32_t most_blocks = 0;         // of its costliest item
  int32_t group = 0;               // of heads that share L2
};

/// What work depends on.
struct Plan {
  PrefillKernel kernel = PrefillKernel::kSimt;
  int32_t heads = 0, kv_heads = 0, head_dim = 0, block_rows = 0, blocks = 0;
  int64_t element_bytes = 0, l2_bytes = 0;
  bool gathers = false;
  std::vector<Segment> segments;
  std::vector<PrefillMask> masks;      // [segments, kv_heads], gap unset
  std::vector<GatheredKeys> gathered;  // [segments, kv_heads], or empty
};

int64_t round_up(int64_t x, int64_t multiple) { return (x + multiple - 1) / multiple * multiple; }

}  // namespace

/// The uploaded list, and where its parts lie in Scratch::kPrefillWork.
struct PrefillWork {
  std::vector<char> bytes;  // as uploaded
  std::weak_ptr<ScratchBuffer> buffer;
  std::vector<int32_t> key;  // what the list was made from
  int64_t item_begin_at = 0, gathered_at = 0, gathered_rows = 0;
  int32_t item_count = 0, gathered_count = 0, longest = 0;
};

namespace {

bool aligned(const TensorRef& x) {
  constexpr int64_t kVectorElements = 8;  // 16 bytes of 16-bit elements
  return reinterpret_cast<uintptr_t>(x.data) % 16 == 0 &&
         (x.rows() <= 1 || x.row_stride % kVectorElements == 0);
}

bool runs(const Context& context, const AttentionPrefillParams& params, PrefillKernel kernel) {
  if (kernel == PrefillKernel::kSimt) return true;
  const int64_t d = params.q.shape[2];
  // Weights are 2^(c s - c m) with m the largest s: right for positive scales only.
  if (!is_half(params.q.dtype) || !(params.scale > 0)) return false;
  for (const TensorRef* x : {&params.q, &params.k, &params.v, &params.out}) {
    if (!aligned(*x)) return false;
  }
  if (kernel == PrefillKernel::kWgmma) return context.is_hopper() && (d == 64 || d == 128);
  return context.properties.major >= 8 && (d == 32 || d == 64 || d == 96 || d == 128 || d == 256);
}

struct NamedKernel {
  const char* name;
  PrefillKernel kernel;
};
constexpr NamedKernel kKernels[] = {{"wgmma", PrefillKernel::kWgmma},
                                    {"mma", PrefillKernel::kMma},
                                    {"simt", PrefillKernel::kSimt}};  // the faster first

/// The one that MOABENCH_PREFILL_KERNEL asks for, else the fastest that takes the shape.
PrefillKernel prefill_kernel_for(const Context& context, const AttentionPrefillParams& params) {
  constexpr const char* kVariable = "MOABENCH_PREFILL_KERNEL";
  static const std::string asked = [] {
    const char* value = std::getenv(kVariable);
    return std::string(value == nullptr ? "" : value);
  }();
  for (const NamedKernel& k : kKernels) {
    if (!asked.empty() && asked != k.name) continue;
    if (runs(context, params, k.kernel)) return k.kernel;
    if (asked.empty()) continue;
    throw Error(ErrorCode::kUnsupported,
                "Expected a device, dtype, head dim, alignment and scale that the kernel takes for " +
                    std::string(kVariable) + " but received " + asked);
  }
  throw_invalid("simt, mma or wgmma", kVariable, asked);
}

Plan plan_of(const Context& context, const AttentionPrefillParams& params, const CacheView* cache) {
  Plan plan;
  plan.kernel = prefill_kernel_for(context, params);
  plan.heads = static_cast<int32_t>(params.q.shape[1]);
  plan.kv_heads = static_cast<int32_t>(params.k.shape[1]);
  plan.head_dim = static_cast<int32_t>(params.q.shape[2]);
  plan.block_rows = prefill_block_rows(plan.kernel, plan.head_dim);
  plan.blocks = context.multiprocessors();
  plan.element_bytes = static_cast<int64_t>(bytes_per_element(params.q.dtype));
  plan.l2_bytes = context.properties.l2CacheSize;
  plan.segments.assign(params.segments.begin(), params.segments.end());
  for (Segment& segment : plan.segments) {
    // Without a cache positions do not matter, only distances.
    if (cache == nullptr) segment.first_position = segment.sequence = 0;
    plan.gathers |= segment.first_position > 0;
  }
  int64_t key_row = 0;
  for (const Segment& segment : plan.segments) {
    for (int32_t head = 0; head < plan.kv_heads; ++head) {
      PrefillMask mask;
      if (cache != nullptr && cache->windowed) {
        const int64_t at =
            (int64_t{segment.sequence} * cache->layers + params.layer) * cache->kv_heads + head;
        mask.sink = cache->sink;
        mask.window = cache->host_capacities[at] - cache->sink;
      }
      plan.masks.push_back(mask);
      if (!plan.gathers) continue;
      GatheredKeys keys{};
      keys.key_row = key_row;
      keys.row = segment.row_start, keys.rows = segment.row_count;
      keys.sequence = segment.sequence, keys.head = head;
      set_cached(keys, segment.first_position, cache->windowed, mask.sink, mask.sink + mask.window);
      plan.gathered.push_back(keys);
      key_row += keys.keys();
    }
  }
  return plan;
}

/// Everything that work_of reads, as numbers to compare.
std::vector<int32_t> key_of(const Plan& plan) {
  std::vector<int32_t> key = {static_cast<int32_t>(plan.kernel), plan.heads,  plan.kv_heads,
                              plan.head_dim,                     plan.blocks, plan.gathers};
  for (const Segment& s : plan.segments) {
    key.insert(key.end(), {s.row_start, s.row_count, s.first_position, s.sequence});
  }
  for (const PrefillMask& mask : plan.masks) key.insert(key.end(), {mask.sink, mask.window});
  return key;
}

PrefillItem item_of(const Plan& plan, const HeadKeys& keys, int32_t head, int32_t row) {
  const Segment& segment = plan.segments[static_cast<size_t>(keys.segment)];
  PrefillItem item{};
  item.mask = keys.mask;
  item.position = keys.position + row;
  item.row = segment.row_start + row;
  item.rows = std::min(plan.block_rows, segment.row_count - row);
  item.head = head;
  item.key_row = keys.key_row, item.key_head = keys.key_head;
  set_blocks(item);
  return item;
}

/// Heads in the order in which their keys pass through L2, the costliest first.
std::vector<HeadKeys> ordered_heads(const Plan& plan) {
  std::vector<HeadKeys> heads;
  for (size_t i = 0; i < plan.masks.size(); ++i) {
    HeadKeys keys;
    keys.segment = static_cast<int32_t>(i) / plan.kv_heads;
    keys.kv_head = static_cast<int32_t>(i) % plan.kv_heads;
    const Segment& segment = plan.segments[static_cast<size_t>(keys.segment)];
    keys.mask = plan.masks[i];
    keys.position = segment.first_position;
    keys.key_row = segment.row_start, keys.key_head = keys.kv_head;
    if (plan.gathers) {
      const GatheredKeys& gathered = plan.gathered[i];
      keys.mask.gap = gathered.window_start - gathered.sinks;
      keys.key_row = static_cast<int32_t>(gathered.key_row), keys.key_head = 0;
    }
    for (int32_t row = 0; row < segment.row_count; row += plan.block_rows) {
      keys.most_blocks = std::max(keys.most_blocks, item_of(plan, keys, 0, row).blocks);
    }
    heads.push_back(keys);
  }
  std::stable_sort(heads.begin(), heads.end(), [](const HeadKeys& a, const HeadKeys& b) {
    return a.most_blocks > b.most_blocks;
  });
  int64_t bytes = 0;
  int32_t group = 0;
  for (HeadKeys& keys : heads) {
    const int64_t own = int64_t{2} * keys.most_blocks * kKeyBlock * plan.head_dim *
                        plan.element_bytes;
    if (bytes > 0 && bytes + own > plan.l2_bytes / 2) bytes = 0, ++group;
    bytes += own;
    keys.group = group;
  }
  return heads;
}

std::vector<PrefillItem> ordered_items(const Plan& plan) {
  struct Ordered {
    PrefillItem item;
    int32_t group;
  };
  std::vector<Ordered> ordered;
  const int32_t group_heads = plan.heads / plan.kv_heads;
  for (const HeadKeys& keys : ordered_heads(plan)) {
    const Segment& segment = plan.segments[static_cast<size_t>(keys.segment)];
    for (int32_t row = 0; row < segment.row_count; row += plan.block_rows) {
      for (int32_t i = 0; i < group_heads; ++i) {
        ordered.push_back({item_of(plan, keys, keys.kv_head * group_heads + i, row), keys.group});
      }
    }
  }
  std::stable_sort(ordered.begin(), ordered.end(), [](const Ordered& a, const Ordered& b) {
    return a.group != b.group ? a.group < b.group : a.item.blocks > b.item.blocks;
  });
  std::vector<PrefillItem> items;
  items.reserve(ordered.size());
  for (const Ordered& o : ordered) items.push_back(o.item);
  return items;
}

/// Gives each item, in order, to the thread block with the least to do; regroups items by block and
/// returns where each block's begin.
std::vector<int32_t> assign_items(std::vector<PrefillItem>& items, int32_t blocks) {
  // Start and end of an item (first scores, last values, output) take about as long as a pair.
  constexpr int64_t kFixedCost = 1;
  struct Load {
    int64_t cost;
    int32_t block;
    bool operator<(const Load& other) const {  // the top of the queue is the least
      return cost != other.cost ? cost > other.cost : block > other.block;
    }
  };
  std::priority_queue<Load> loads;
  for (int32_t block = 0; block < blocks; ++block) loads.push({0, block});
  std::vector<std::vector<PrefillItem>> lists(static_cast<size_t>(blocks));
  for (const PrefillItem& item : items) {
    Load load = loads.top();
    loads.pop();
    lists[static_cast<size_t>(load.block)].push_back(item);
    load.cost += (item.blocks + 1) / 2 + kFixedCost;
    loads.push(load);
  }
  std::vector<int32_t> begin = {0};
  items.clear();
  for (const std::vector<PrefillItem>& list : lists) {
    items.insert(items.end(), list.begin(), list.end());
    begin.push_back(static_cast<int32_t>(items.size()));
  }
  return begin;
}

PrefillWork work_of(const Plan& plan) {
  constexpr int64_t kAlignment = 16;
  PrefillWork work;
  std::vector<PrefillItem> items = ordered_items(plan);
  std::vector<int32_t> item_begin;
  if (plan.kernel == PrefillKernel::kWgmma) item_begin = assign_items(items, plan.blocks);
  for (const GatheredKeys& keys : plan.gathered) {
    work.gathered_rows += keys.keys();
    work.longest = std::max(work.longest, keys.keys());
  }
  work.item_count = static_cast<int32_t>(items.size());
  work.gathered_count = static_cast<int32_t>(plan.gathered.size());
  const auto item_bytes = static_cast<int64_t>(items.size() * sizeof(PrefillItem));
  const auto begin_bytes = static_cast<int64_t>(item_begin.size() * sizeof(int32_t));
  const auto gathered_bytes = static_cast<int64_t>(plan.gathered.size() * sizeof(GatheredKeys));
  work.item_begin_at = item_bytes;
  work.gathered_at = round_up(work.item_begin_at + begin_bytes, kAlignment);
  work.bytes.resize(static_cast<size_t>(work.gathered_at + gathered_bytes));
  const auto put = [&](int64_t at, const void* from, int64_t bytes) {
    if (bytes > 0) std::memcpy(work.bytes.data() + at, from, static_cast<size_t>(bytes));
  };
  put(0, items.data(), item_bytes);
  put(work.item_begin_at, item_begin.data(), begin_bytes);
  put(work.gathered_at, plan.gathered.data(), gathered_bytes);
  return work;
}

/// The list of this plan on the device: last time's when nothing changed.
const PrefillWork& upload_work(Context& context, const Plan& plan) {
  const auto& buffer = context.scratch_buffers[static_cast<size_t>(Scratch::kPrefillWork)];
  std::vector<int32_t> key = key_of(plan);
  if (context.prefill_work != nullptr && buffer != nullptr &&
      context.prefill_work->buffer.lock() == buffer && context.prefill_work->key == key) {
    return *context.prefill_work;
  }
  context.prefill_work = nullptr;  // not the buffer's contents any more, should the next lines throw
  auto work = std::make_shared<PrefillWork>(work_of(plan));
  const auto bytes = static_cast<int64_t>(work->bytes.size());
  char* to = static_cast<char*>(context.scratch(Scratch::kPrefillWork, bytes));
  constexpr int64_t kAtOnce = 1 << 16;  // what Context::write takes without waiting for the stream
  for (int64_t at = 0; at < bytes; at += kAtOnce) {
    context.write(to + at, work->bytes.data() + at, std::min(kAtOnce, bytes - at));
  }
  work->key = std::move(key);
  work->buffer = buffer;
  work->bytes = {};  // the list itself is on the device now
  context.prefill_work = std::move(work);
  return *context.prefill_work;
}

}  // namespace

void attention_prefill(Context& context, const AttentionPrefillParams& params,
                       const CacheView* cache) {
  const DType dtype = params.q.dtype;
  if (params.k.dtype != dtype || params.v.dtype != dtype || params.out.dtype != dtype) {
    throw Error(ErrorCode::kUnsupported,
                "Expected one dtype of q, k, v and out for attentionPrefill but received several");
  }
  const Plan plan = plan_of(context, params, cache);
  const PrefillWork& work = upload_work(context, plan);
  const char* device_work = static_cast<const char*>(context.scratch(Scratch::kPrefillWork, 0));

  PrefillArguments a;
  a.q = params.q.data, a.keys = params.k.data, a.values = params.v.data, a.out = params.out.data;
  a.q_stride = params.q.row_stride, a.out_stride = params.out.row_stride;
  a.key_stride = params.k.row_stride, a.value_stride = params.v.row_stride;
  a.q_rows = params.q.rows(), a.key_rows = params.k.rows();
  a.heads = plan.heads, a.key_heads = plan.kv_heads, a.head_dim = plan.head_dim;
  a.log_sum_exp = static_cast<float*>(params.log_sum_exp.data);
  a.log_sum_exp_stride = params.log_sum_exp.row_stride;
  a.dtype = dtype, a.scale = params.scale;
  a.items = reinterpret_cast<const PrefillItem*>(device_work);
  a.item_begin = reinterpret_cast<const int32_t*>(device_work + work.item_begin_at);
  a.item_count = work.item_count, a.blocks = plan.blocks;
  if (plan.gathers) {
    const int64_t bytes = round_up(work.gathered_rows * plan.head_dim * plan.element_bytes, 128);
    char* keys = static_cast<char*>(context.scratch(Scratch::kPrefillKeys, 2 * bytes));
    const auto* gathered = reinterpret_cast<const GatheredKeys*>(device_work + work.gathered_at);
    gather_prefill_keys(context, params, *cache, gathered, work.gathered_count, work.longest, keys,
                        keys + bytes);
    a.keys = keys, a.values = keys + bytes;
    a.key_stride = a.value_stride = plan.head_dim;
    a.key_rows = work.gathered_rows, a.key_heads = 1;
  }
  switch (plan.kernel) {
    case PrefillKernel::kSimt:
      return prefill_simt(context, a);
    case PrefillKernel::kMma:
      return prefill_mma(context, a);
    case PrefillKernel::kWgmma:
      return prefill_wgmma(context, a);
  }
}

}  // namespace moa::cuda
