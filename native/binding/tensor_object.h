#pragma once
#include <napi.h>

#include <memory>

#include "binding/session.h"
#include "moa/tensor.h"

namespace moa::binding {

inline constexpr napi_type_tag kTensorTag = {0x7a3c5e1f90b24d68, 0x8f21c6d4e5b7a913};

/// What a new Tensor object takes over. A `view` does not free the memory when it is disposed, and
/// does not keep it from being freed.
struct TensorInit {
  std::shared_ptr<Owned> owned;
  TensorRef ref;
  bool view = false;
};

/// The Tensor of src/native/backend.ts.
class TensorObject : public Napi::ObjectWrap<TensorObject> {
 public:
  static Napi::Function define(Napi::Env env);
  static Napi::Object create(Napi::Env env, TensorInit init);
  explicit TensorObject(const Napi::CallbackInfo& info);

  const TensorRef& ref() const { return ref_; }
  const std::shared_ptr<Session>& session() const { return owned_->session(); }
  bool disposed() const { return view_disposed_ || owned_->disposed(); }
  const std::shared_ptr<void>& allocation() const { return owned_->content(); }

 private:
  Napi::Value rows(const Napi::CallbackInfo& info);
  Napi::Value columns(const Napi::CallbackInfo& info);
  Napi::Value reshape(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);

  void define_properties(Napi::Env env, Napi::Object self) const;
  void expect_alive(const char* name) const;
  Napi::Object view_of(Napi::Env env, const TensorRef& ref) const;

  std::shared_ptr<Owned> owned_;
  TensorRef ref_;
  bool view_ = false, view_disposed_ = false;
};

}  // namespace moa::binding
