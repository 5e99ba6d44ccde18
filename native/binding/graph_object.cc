#include "binding/graph_object.h"

#include <utility>

#include "binding/env_state.h"
#include "binding/js_error.h"
#include "binding/js_value.h"

namespace moa::binding {

namespace {

void begin_on_device(Session& session) {
  Backend& backend = session.backend();
  session.stream().enqueue("capture", [&backend] { backend.capture_begin(); });
}

void end_on_device(Session& session, const std::shared_ptr<Recording>& recording, bool keep) {
  Backend& backend = session.backend();
  // A recording whose ops failed must end too: otherwise later ops would be recorded instead of
  // run.
  session.stream().enqueue_observer(
      [&backend, recording, keep](const std::exception_ptr& failure, uint64_t) {
        if (failure != nullptr || !keep) backend.capture_abandon();
      });
  if (!keep) return;
  session.stream().enqueue("capture",
                           [&backend, recording] { recording->commands = backend.capture_end(); });
}

void run(const Recording& recording, bool on_device) {
  for (const auto& task : recording.tasks) task();
  if (!on_device) return;
  if (recording.commands == nullptr) {
    throw Error(ErrorCode::kInvalidArgument,
                "Expected a recorded graph for Graph.replay but its recording failed");
  }
  recording.commands->replay();
}

}  // namespace

Napi::Function GraphObject::define(Napi::Env env) {
  return DefineClass(env, "Graph",
                     {InstanceMethod<&GraphObject::replay>("replay"),
                      InstanceMethod<&GraphObject::dispose>("dispose")});
}

Napi::Value GraphObject::capture(Napi::Env env, const std::shared_ptr<Session>& session,
                                 Napi::Value record) {
  session->expect_alive("Backend.capture");
  if (!record.IsFunction())
    throw_invalid("a function", "Backend.capture record", describe_js(record));
  if (session->recording != nullptr)
    throw_invalid("one recording at a time", "Backend.capture", "one within another");
  const auto recording = std::make_shared<Recording>();
  const bool on_device = session->traits().device_graphs;
  if (on_device) begin_on_device(*session);
  session->recording = recording;
  std::exception_ptr thrown;
  try {
    record.As<Napi::Function>().Call({});
  } catch (...) {
    thrown = std::current_exception();
  }
  session->recording = nullptr;
  if (on_device) end_on_device(*session, recording, thrown == nullptr);
  if (thrown != nullptr) std::rethrow_exception(thrown);
  GraphInit init{session, recording};
  EnvState& state = EnvState::of(env);
  return construct(state.graph_class, state.graph_init, init);
}

GraphObject::GraphObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<GraphObject>(info) {
  guarded(info.Env(), [&] {
    GraphInit*& init = EnvState::of(info.Env()).graph_init;
    if (init == nullptr) throw_invalid("Backend.capture()", "making a Graph", "new");
    session_ = std::move(init->session);
    recording_ = std::move(init->recording);
    init = nullptr;
  });
}

Napi::Value GraphObject::replay(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    if (recording_ == nullptr) throw_invalid("a live graph", "Graph.replay", "a disposed one");
    session_->expect_alive("Graph.replay");
    if (session_->recording != nullptr)
      throw_invalid("a replay outside recordings", "Graph.replay", "one within a recording");
    for (const auto& check : recording_->checks) check();
    const bool on_device = session_->traits().device_graphs;
    session_->stream().enqueue("replay",
                               [recording = recording_, on_device] { run(*recording, on_device); });
    return info.Env().Undefined();
  });
}

Napi::Value GraphObject::dispose(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    release();
    return info.Env().Undefined();
  });
}

/// The recording is destroyed on the stream thread, after the replays that were enqueued before;
/// when the stream has ended, it is destroyed here.
void GraphObject::release() {
  if (recording_ == nullptr) return;
  session_->stream().enqueue_observer(
      [recording = std::move(recording_)](const std::exception_ptr&, uint64_t) mutable {
        recording.reset();
      });
  recording_ = nullptr;
}

}  // namespace moa::binding
