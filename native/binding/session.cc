#include "binding/session.h"

#include <string>
#include <utility>

#include "binding/js_error.h"
#include "binding/recording.h"
#include "moa/error.h"

namespace moa::binding {

Owned::Owned(std::shared_ptr<Session> session, std::shared_ptr<void> content, int64_t bytes)
    : session_(std::move(session)),
      content_(std::move(content)),
      bytes_(session_->traits().host_memory ? bytes : 0) {
  session_->owned_.insert(this);
  Napi::MemoryManagement::AdjustExternalMemory(session_->env(), bytes_);
}

Owned::~Owned() {
  dispose();
  session_->owned_.erase(this);
}

void Owned::dispose() {
  if (content_ == nullptr) return;
  content_.reset();
  if (session_->environment_alive())
    Napi::MemoryManagement::AdjustExternalMemory(session_->env(), -bytes_);
}

/// One promise that waits. Only the JavaScript thread uses its handles; the stream thread fills in
/// the outcome.
struct Session::Completion {
  std::weak_ptr<Session> session;
  napi_deferred deferred = nullptr;
  napi_ref value = nullptr;  // keeps the result array alive, into which the stream thread writes
  bool disposes = false;
  std::exception_ptr failure;
  uint64_t epoch = 0;
};

std::shared_ptr<Session> Session::create(Napi::Env env, std::unique_ptr<Backend> backend) {
  std::shared_ptr<Session> session(new Session(env, std::move(backend)));
  session->open_channel();
  return session;
}

Session::Session(Napi::Env env, std::unique_ptr<Backend> backend)
    : env_(env),
      backend_(std::move(backend)),
      traits_(backend_->traits()),
      pool_(backend_->pool()),
      stream_([this] { backend_->start_stream_thread(); }) {}

void Session::open_channel() {
  const Napi::String name = Napi::String::New(env_, "moabench stream");
  const napi_status status = napi_create_threadsafe_function(
      env_, nullptr, nullptr, name, 0, 1, nullptr, nullptr, nullptr, &Session::complete, &channel_);
  if (status != napi_ok)
    throw Error(ErrorCode::kInternal, "cannot open a channel to the event loop");
  napi_unref_threadsafe_function(env_, channel_);
  // The hook is added after the channel, because node runs the newest hook first: so the stream has
  // ended before node closes the channel.
  napi_add_env_cleanup_hook(env_, &Session::end_with_environment, this);
}

Session::~Session() {
  stream_.stop();
  if (!environment_alive_) return;
  napi_remove_env_cleanup_hook(env_, &Session::end_with_environment, this);
  if (channel_ != nullptr) napi_release_threadsafe_function(channel_, napi_tsfn_abort);
}

void Session::end_with_environment(void* data) {
  auto* session = static_cast<Session*>(data);
  session->stream_.stop();
  session->environment_alive_ = false;
  session->disposed_ = true;
  session->free_all();
  session->disposal_.SuppressDestruct();
  // May be the last reference to the session, so it is released after everything else.
  std::shared_ptr<Session> last;
  last.swap(session->self_while_waiting_);
}

void Session::expect_alive(const char* name) const {
  if (disposed_) throw_invalid("a live backend", name, "a disposed one");
}

void Session::expect_not_recording(const char* name) const {
  if (recording != nullptr) throw_invalid("only recordable ops in a recording", name, "a call");
}

void Session::free_all() {
  for (Owned* owned : owned_) owned->dispose();
}

Napi::Promise Session::promise_after(Napi::Value value, std::function<void()> work) {
  return wait(value, std::move(work), false);
}

Napi::Promise Session::dispose() {
  if (disposal_.IsEmpty()) {
    const Napi::Promise promise = wait(env_.Undefined(), nullptr, true);
    disposal_ = Napi::Persistent(promise.As<Napi::Object>());
    disposed_ = true;
  }
  return disposal_.Value().As<Napi::Promise>();
}

Napi::Promise Session::wait(Napi::Value value, std::function<void()> work, bool disposes) {
  auto completion = std::make_shared<Completion>();
  completion->session = weak_from_this();
  completion->disposes = disposes;
  napi_value promise;
  NAPI_THROW_IF_FAILED(env_, napi_create_promise(env_, &completion->deferred, &promise),
                       Napi::Promise());
  if (value.IsObject()) {
    NAPI_THROW_IF_FAILED(env_, napi_create_reference(env_, value, 1, &completion->value),
                         Napi::Promise());
  }
  if (waiting_++ == 0) {
    self_while_waiting_ = shared_from_this();
    napi_ref_threadsafe_function(env_, channel_);
  }
  stream_.enqueue_observer(
      [completion, work = std::move(work), channel = channel_, backend = backend_.get()](
          std::exception_ptr failure, uint64_t epoch) mutable {
        completion->epoch = epoch;
        completion->failure = std::move(failure);
        if (!completion->failure) {
          try {
            backend->synchronize();
            if (work) work();
          } catch (...) {
            completion->failure = std::current_exception();
          }
        }
        // Releases what `work` kept alive before the host can read how much memory is used.
        work = nullptr;
        auto message = std::make_unique<std::shared_ptr<Completion>>(completion);
        if (napi_call_threadsafe_function(channel, message.get(), napi_tsfn_nonblocking) == napi_ok)
          message.release();
      });
  return Napi::Promise(env_, promise);
}

void Session::complete(napi_env raw_env, napi_value, void*, void* data) {
  const std::unique_ptr<std::shared_ptr<Completion>> completion(
      static_cast<std::shared_ptr<Completion>*>(data));
  const std::shared_ptr<Session> session = (*completion)->session.lock();
  // Nobody waits for the promise any more.
  if (raw_env == nullptr || !session || !session->environment_alive_) return;
  const Napi::Env env(raw_env);
  const Napi::HandleScope scope(env);
  try {
    session->finish(env, **completion);
  } catch (const Napi::Error&) {
    // Happens only when JavaScript cannot run any more, as in a worker that is terminating.
  }
}

void Session::finish(Napi::Env env, Completion& completion) {
  if (--waiting_ == 0) {
    napi_unref_threadsafe_function(env, channel_);
    self_while_waiting_.reset();  // the caller still holds the session
  }
  napi_value value = env.Undefined();
  if (completion.value != nullptr) {
    napi_get_reference_value(env, completion.value, &value);
    napi_delete_reference(env, completion.value);
  }
  if (completion.disposes) {
    stream_.stop();
    free_all();
    backend_->give_back_memory();  // the backend itself lives until JavaScript drops its object
  } else if (completion.failure) {
    stream_.acknowledge(completion.epoch);
    napi_reject_deferred(env, completion.deferred, make_js_error(env, completion.failure));
    return;
  }
  napi_resolve_deferred(env, completion.deferred, value);
}

}  // namespace moa::binding
