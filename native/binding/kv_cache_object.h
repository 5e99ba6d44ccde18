#pragma once
#include <napi.h>

#include <memory>

#include "binding/session.h"
#include "moa/kv_cache.h"

namespace moa::binding {

inline constexpr napi_type_tag kKvCacheTag = {0x4be09d2761f84c35, 0xb6a80e93d17f5c24};

struct KvCacheInit {
  std::shared_ptr<Owned> owned;  // its content is a KvCache
};

/// The KvCache of src/native/backend.ts.
class KvCacheObject : public Napi::ObjectWrap<KvCacheObject> {
 public:
  static Napi::Function define(Napi::Env env);
  /// Reads and validates a KvCacheSpec, then allocates.
  static Napi::Object create(Napi::Env env, const std::shared_ptr<Session>& session,
                             Napi::Value spec);
  explicit KvCacheObject(const Napi::CallbackInfo& info);

  const std::shared_ptr<Session>& session() const { return owned_->session(); }
  bool disposed() const { return owned_->disposed(); }
  std::shared_ptr<KvCache> cache() const {
    return std::static_pointer_cast<KvCache>(owned_->content());
  }

 private:
  Napi::Value resident_bytes(const Napi::CallbackInfo& info);
  Napi::Value resident_bytes_per_head(const Napi::CallbackInfo& info);
  Napi::Value lengths(const Napi::CallbackInfo& info);
  Napi::Value reset(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);

  void expect_alive(const char* name) const;

  std::shared_ptr<Owned> owned_;
};

}  // namespace moa::binding
