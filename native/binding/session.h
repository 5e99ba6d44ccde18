#pragma once
#include <napi.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_set>

#include "moa/backend.h"
#include "runtime/stream.h"

namespace moa::binding {

class Session;
struct Recording;

/// What a tensor or a cache owns, shared with its views. Ops that wait on the stream hold the
/// Allocation or KvCache itself, so it is safe to dispose an Owned while they wait. JavaScript
/// thread only.
class Owned {
 public:
  Owned(std::shared_ptr<Session> session, std::shared_ptr<void> content, int64_t bytes);
  ~Owned();
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;

  void dispose();
  bool disposed() const { return content_ == nullptr; }
  const std::shared_ptr<void>& content() const { return content_; }
  const std::shared_ptr<Session>& session() const { return session_; }

 private:
  std::shared_ptr<Session> session_;
  std::shared_ptr<void> content_;  // Allocation of a tensor, KvCache of a cache
  int64_t bytes_;                  // as reported to V8: 0 when the memory is a device's
};

/// One backend instance with its stream and memory, and the promises that wait for it. All methods
/// belong to the JavaScript thread.
///
/// Lifetime: the Backend object, its tensors and its caches share a session, and while promises
/// wait it also holds a reference to itself. When it ends (by garbage collection, or with the
/// environment), it stops the stream: the running task is finished, waiting tasks are dropped.
class Session : public std::enable_shared_from_this<Session> {
 public:
  static std::shared_ptr<Session> create(Napi::Env env, std::unique_ptr<Backend> backend);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Backend& backend() { return *backend_; }
  const DeviceTraits& traits() const { return traits_; }
  const std::shared_ptr<MemoryPool>& pool() { return pool_; }
  Stream& stream() { return stream_; }

  /// The recording in progress: ops enqueued now belong to it. JavaScript thread only.
  std::shared_ptr<Recording> recording;

  /// Throws when the backend has been disposed; `name` is the call.
  void expect_alive(const char* name) const;
  bool environment_alive() const { return environment_alive_; }
  Napi::Env env() const { return env_; }

  /// Throws while a recording is in progress; `name` is the call.
  void expect_not_recording(const char* name) const;

  /// Returns a promise of `value`. It resolves once the stream has run all earlier tasks and then
  /// `work` (on the stream thread; may be empty). It rejects with the failure of an earlier task of
  /// its epoch (runtime/stream.h), or with what `work` throws.
  Napi::Promise promise_after(Napi::Value value, std::function<void()> work);
  /// Waits for the stream, then ends it and frees all tensors and caches. Every call returns the
  /// same promise.
  Napi::Promise dispose();

 private:
  friend class Owned;
  struct Completion;
  Session(Napi::Env env, std::unique_ptr<Backend> backend);
  void open_channel();
  Napi::Promise wait(Napi::Value value, std::function<void()> work, bool disposes);
  static void complete(napi_env env, napi_value callback, void* context, void* data);
  void finish(Napi::Env env, Completion& completion);
  void free_all();
  static void end_with_environment(void* session);

  Napi::Env env_;
  std::unique_ptr<Backend> backend_;
  DeviceTraits traits_;
  std::shared_ptr<MemoryPool> pool_;
  napi_threadsafe_function channel_ = nullptr;  // from the stream thread to the event loop
  int64_t waiting_ = 0;  // promises that wait; while there are any, the event loop stays alive
  std::shared_ptr<Session> self_while_waiting_;
  std::unordered_set<Owned*> owned_;
  Napi::ObjectReference disposal_;  // the promise of dispose()
  bool disposed_ = false;
  bool environment_alive_ = true;
  Stream stream_;  // the last member: its thread must end before anything above is destroyed
};

}  // namespace moa::binding
