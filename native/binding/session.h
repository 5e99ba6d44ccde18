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

/// What a tensor or a cache owns, shared with its views; ops that wait on the stream hold the
/// Allocation or KvCache itself, so disposing under their feet is safe. JavaScript thread only.
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
  int64_t bytes_;                  // reported to V8: 0 for memory of a device
};

/// One backend instance with its stream and memory, and the promises that wait for it. All methods
/// belong to the JavaScript thread.
///
/// Lifetime: shared by the Backend object and its tensors and caches, and by itself while promises
/// wait. Its end (garbage collection, or the environment's) stops the stream: what runs is
/// finished, what waits is dropped.
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

  /// A promise of `value`, resolved when the stream gets there and `work` (stream thread; may be
  /// empty) has run. Rejects with the stretch's failure, or with what `work` throws.
  Napi::Promise promise_after(Napi::Value value, std::function<void()> work);
  /// Waits for the stream, then frees all tensors and caches and ends the stream; the same promise
  /// at every call.
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
  napi_threadsafe_function channel_ = nullptr;  // stream thread to event loop
  int64_t waiting_ = 0;  // promises; the event loop is kept alive while there are any
  std::shared_ptr<Session> self_while_waiting_;
  std::unordered_set<Owned*> owned_;
  Napi::ObjectReference disposal_;  // the promise of dispose()
  bool disposed_ = false;
  bool environment_alive_ = true;
  Stream stream_;  // last: its thread must be gone before anything above is
};

}  // namespace moa::binding
