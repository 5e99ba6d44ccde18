#pragma once
// Turns the JavaScript params objects of src/native/backend.ts into the params structs of
// moa/ops.h, field by field. The checks are in ops/.
#include "binding/params_reader.h"
#include "moa/backend.h"

namespace moa::binding {

#define MOA_DECLARE_READER(method, Params, name) Params read_##method(ParamsReader& reader);
MOA_FOR_EACH_OP(MOA_DECLARE_READER)
#undef MOA_DECLARE_READER
CacheAdvanceParams read_cache_advance(ParamsReader& reader);

}  // namespace moa::binding
