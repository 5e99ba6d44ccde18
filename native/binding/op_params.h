#pragma once
// JavaScript params objects of src/native/backend.ts to the params structs of moa/ops.h: field by
// field, nothing else.
#include "binding/params_reader.h"
#include "moa/backend.h"

namespace moa::binding {

#define MOA_DECLARE_READER(method, Params, name) Params read_##method(ParamsReader& reader);
MOA_FOR_EACH_OP(MOA_DECLARE_READER)
#undef MOA_DECLARE_READER
CacheAdvanceParams read_cache_advance(ParamsReader& reader);

}  // namespace moa::binding
