// The host cuts every segment and head into items of 64, 128 or 192 query rows and orders them. KV
// heads are put into groups whose keys and values fit half of L2. Within a group the costliest
// items come first, and the query heads of a KV head are next to each other. Kernels with one
// thread block per item take the items in this order. For the persistent kernel, each item goes to
// the thread block that has the least to do so far. The costs are known exactly, so the device
// needs no counter to share out work, and nothing depends on timing.
#include "cuda/prefill/work.h"

#include <algorithm>
#include <cstring>
#include <queue>
#include <utility>

namespace moa::cuda {

namespace {

/// The keys and values of one segment and KV head, and their mask.
struct HeadKeys {
  PrefillMask mask;
  int32_t segment = 0, kv_head = 0;
  int32_t position = 0;               // position of the segment's first row
  int32_t key_row = 0, key_head = 0;  // of its first key in the source
  int32_t most_blocks = 0;            // key blocks of its costliest item
  int32_t group = 0;                  // number of the group of heads that share L2
};

int64_t round_up(int64_t x, int64_t multiple) {
  return (x + multiple - 1) / multiple * multiple;
}

/// Everything that work_of reads, as numbers, to find out whether anything has changed.
std::vector<int32_t> key_of(const PrefillPlan& plan) {
  std::vector<int32_t> key = {static_cast<int32_t>(plan.kernel),
                              plan.heads,
                              plan.kv_heads,
                              plan.head_dim,
                              plan.block_rows,
                              plan.blocks,
                              plan.gathers,
                              static_cast<int32_t>(plan.element_bytes)};
  for (const Segment& s : plan.segments) {
    key.insert(key.end(), {s.row_start, s.row_count, s.first_position, s.sequence});
  }
  for (const PrefillMask& mask : plan.masks) key.insert(key.end(), {mask.sink, mask.window});
  return key;
}

PrefillItem item_of(const PrefillPlan& plan, const HeadKeys& keys, int32_t head, int32_t row) {
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

/// The heads in the order in which their keys pass through L2: the costliest first.
std::vector<HeadKeys> ordered_heads(const PrefillPlan& plan) {
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
    const int64_t own =
        int64_t{2} * keys.most_blocks * kKeyBlock * plan.head_dim * plan.element_bytes;
    if (bytes > 0 && bytes + own > plan.l2_bytes / 2) bytes = 0, ++group;
    bytes += own;
    keys.group = group;
  }
  return heads;
}

std::vector<PrefillItem> ordered_items(const PrefillPlan& plan) {
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

/// Gives each item, in order, to the thread block with the least to do. Groups `items` by thread
/// block and returns where the items of each block begin, [blocks + 1].
std::vector<int32_t> assign_items(std::vector<PrefillItem>& items, int32_t blocks) {
  // The start and the end of an item (first scores, last values, output) take about as long as one
  // pair of key blocks.
  constexpr int64_t kFixedCost = 1;
  struct Load {
    int64_t cost;
    int32_t block;
    bool operator<(const Load& other) const {  // the top of the queue has the least cost
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

PrefillWork work_of(const PrefillPlan& plan) {
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

}  // namespace

const PrefillWork& upload_prefill_work(Context& context, const PrefillPlan& plan) {
  const auto& buffer = context.scratch_buffers[static_cast<size_t>(Scratch::kPrefillWork)];
  std::vector<int32_t> key = key_of(plan);
  if (context.prefill_work != nullptr && buffer != nullptr &&
      context.prefill_work->buffer.lock() == buffer && context.prefill_work->key == key) {
    return *context.prefill_work;
  }
  // If the next lines throw, the buffer does not hold the old list any more.
  context.prefill_work = nullptr;
  auto work = std::make_shared<PrefillWork>(work_of(plan));
  const auto bytes = static_cast<int64_t>(work->bytes.size());
  char* to = static_cast<char*>(context.scratch(Scratch::kPrefillWork, bytes));
  // Context::write takes this much without waiting for the stream
  constexpr int64_t kAtOnce = 1 << 16;
  for (int64_t at = 0; at < bytes; at += kAtOnce) {
    context.write(to + at, work->bytes.data() + at, std::min(kAtOnce, bytes - at));
  }
  work->key = std::move(key);
  work->buffer = buffer;
  work->bytes = {};  // the list itself is on the device now
  context.prefill_work = std::move(work);
  return *context.prefill_work;
}

}  // namespace moa::cuda
