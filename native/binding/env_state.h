#pragma once
#include <napi.h>

namespace moa::binding {

struct TensorInit;
struct KvCacheInit;
struct BackendInit;
struct GraphInit;

/// What one JavaScript environment (main thread or worker) keeps of this addon; owned by node as
/// instance data.
struct EnvState {
  Napi::FunctionReference
      error_class;  // MoaError, set by src/native/addon.ts; until then errors are plain with a code
  Napi::FunctionReference tensor_class, kv_cache_class, backend_class, graph_class;
  Napi::FunctionReference
      array_buffer_class;  // the realm's own, taken before user code can replace the global
  // What the constructor being called from native code takes over; null when JavaScript calls it.
  TensorInit* tensor_init = nullptr;
  KvCacheInit* kv_cache_init = nullptr;
  BackendInit* backend_init = nullptr;
  GraphInit* graph_init = nullptr;

  static EnvState& of(Napi::Env env) { return *env.GetInstanceData<EnvState>(); }
};

/// Sets `slot` for the time of constructing `constructor`; the object takes what it points at.
template <class Init>
Napi::Object construct(const Napi::FunctionReference& constructor, Init*& slot, Init& init) {
  struct Reset {
    Init*& slot;
    ~Reset() { slot = nullptr; }
  } reset{slot};
  slot = &init;
  return constructor.New({});
}

}  // namespace moa::binding
