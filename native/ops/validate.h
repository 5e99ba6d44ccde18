#pragma once
// What every native backend checks before an op is enqueued: dtypes, shapes, ranges, segments,
// cache state, aliasing. A check that fails throws an Error that names op and field: kUnsupported
// for a dtype that the device lacks, else kInvalidArgument. Kernels check nothing more.
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
