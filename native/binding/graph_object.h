#pragma once
#include <napi.h>

#include <memory>

#include "binding/recording.h"
#include "binding/session.h"

namespace moa::binding {

struct GraphInit {
  std::shared_ptr<Session> session;
  std::shared_ptr<Recording> recording;
};

/// The Graph of src/native/backend.ts.
class GraphObject : public Napi::ObjectWrap<GraphObject> {
 public:
  static Napi::Function define(Napi::Env env);
  /// Calls `record` and records the ops that it enqueues.
  static Napi::Value capture(Napi::Env env, const std::shared_ptr<Session>& session,
                             Napi::Value record);
  explicit GraphObject(const Napi::CallbackInfo& info);
  ~GraphObject() override { release(); }

 private:
  Napi::Value replay(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  void release();

  std::shared_ptr<Session> session_;
  std::shared_ptr<Recording> recording_;  // null once disposed
};

}  // namespace moa::binding
