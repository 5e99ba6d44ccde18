#pragma once
#include <napi.h>

#include <memory>

#include "binding/session.h"
#include "moa/backend.h"

namespace moa::binding {

class ParamsReader;

struct BackendInit {
  std::shared_ptr<Session> session;
};

/// The Backend of src/native/backend.ts.
class BackendObject : public Napi::ObjectWrap<BackendObject> {
 public:
  static Napi::Function define(Napi::Env env);
  static Napi::Object create(Napi::Env env, std::unique_ptr<Backend> backend);
  explicit BackendObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value tensor(const Napi::CallbackInfo& info);
  Napi::Value kv_cache(const Napi::CallbackInfo& info);
  Napi::Value synchronize(const Napi::CallbackInfo& info);
  Napi::Value memory(const Napi::CallbackInfo& info);
  Napi::Value substitutions(const Napi::CallbackInfo& info);
  Napi::Value reset_peak(const Napi::CallbackInfo& info);
  Napi::Value set_memory_limit(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  Napi::Value capture(const Napi::CallbackInfo& info);
  Napi::Value time(const Napi::CallbackInfo& info);
  Napi::Value cache_advance(const Napi::CallbackInfo& info);
#define MOA_DECLARE_METHOD(method, Params, name) Napi::Value method(const Napi::CallbackInfo& info);
  MOA_FOR_EACH_OP(MOA_DECLARE_METHOD)
#undef MOA_DECLARE_METHOD

  template <class Params>
  Napi::Value enqueue_op(const Napi::CallbackInfo& info, const char* name,
                         Params (*read)(ParamsReader&),
                         void (*validate)(const Params&, const DeviceTraits&),
                         void (Backend::*op)(const Params&));

  std::shared_ptr<Session> session_;
};

}  // namespace moa::binding
