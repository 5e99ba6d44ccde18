#pragma once
// What every native backend checks before an op is enqueued: dtypes, shapes, ranges, segments,
// cache state, aliasing. Throws Error kInvalidArgument (kUnsupported for a dtype that the device
// lacks) naming op and field; afterwards kernels check nothing.
#include "moa/backend.h"
#include "moa/kv_cache.h"
#include "moa/ops.h"

namespace moa {

#define MOA_DECLARE_VALIDATE(method, Params, name) \
  void validate_##method(const Params& params, const DeviceTraits& traits);
MOA_FOR_EACH_OP(MOA_DECLARE_VALIDATE)
#undef MOA_DECLARE_VALIDATE

void validate_cache_advance(const CacheAdvanceParams& params);
void validate_cache_spec(const KvCacheSpec& spec);

}  // namespace moa
