#pragma once
// The work list of one call of prefill attention: which blocks of queries, in which order, and how
// their keys are gathered. The host makes it, and uploads it only when it differs from the last
// one.
#include <cstdint>
#include <memory>
#include <vector>

#include "cuda/prefill/launch.h"

namespace moa::cuda {

/// What the work list depends on.
struct PrefillPlan {
  PrefillKernel kernel = PrefillKernel::kSimt;
  int32_t heads = 0, kv_heads = 0, head_dim = 0, block_rows = 0, blocks = 0;
  int64_t element_bytes = 0, l2_bytes = 0;
  bool gathers = false;
  std::vector<Segment> segments;
  std::vector<PrefillMask> masks;      // [segments, kv_heads], gap unset
  std::vector<GatheredKeys> gathered;  // [segments, kv_heads], or empty
};

/// The uploaded work list, and where its parts lie in Scratch::kPrefillWork (offsets in bytes).
struct PrefillWork {
  std::vector<char> bytes;  // to upload; empty afterwards
  std::weak_ptr<ScratchBuffer> buffer;
  std::vector<int32_t> key;  // what the list was made from
  int64_t item_begin_at = 0, gathered_at = 0, gathered_rows = 0;
  int32_t item_count = 0, gathered_count = 0, longest = 0;
};

/// Returns the work list of this plan, which is then on the device. Uploads nothing when the last
/// list is the same.
const PrefillWork& upload_prefill_work(Context& context, const PrefillPlan& plan);

}  // namespace moa::cuda
