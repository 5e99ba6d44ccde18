#pragma once
#include <napi.h>

namespace moa::binding {

struct TensorInit;
struct KvCacheInit;
struct BackendInit;
struct GraphInit;

/// What the addon keeps for one JavaScript environment (main thread or worker). node owns it as
/// instance data.
struct EnvState {
  // MoaError, which src/native/addon.ts sets. Before that, errors are plain ones with a code.
  Napi::FunctionReference error_class;
  Napi::FunctionReference tensor_class, kv_cache_class, backend_class, graph_class;
  // The built-in ArrayBuffer, taken before user code can replace the global.
  Napi::FunctionReference array_buffer_class;
  // Native code passes an object's content to its constructor here; the constructor takes it over.
  // All are null when JavaScript calls a constructor itself.
  TensorInit* tensor_init = nullptr;
  KvCacheInit* kv_cache_init = nullptr;
  BackendInit* backend_init = nullptr;
  GraphInit* graph_init = nullptr;

  static EnvState& of(Napi::Env env) { return *env.GetInstanceData<EnvState>(); }
};

/// Constructs an object. `slot` points at `init` while the constructor runs, which moves the
/// content of `init` into the new object.
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
