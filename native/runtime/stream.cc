#include "runtime/stream.h"

#include <new>
#include <string>
#include <utility>

#include "moa/error.h"

namespace moa {

namespace {

/// Returns the exception in flight as an Error whose message names the op. Exceptions that are not
/// an Error get the code that fits their type.
std::exception_ptr named_failure(const char* name) {
  const std::string prefix = std::string(name) + " failed: ";
  try {
    throw;
  } catch (const Error& error) {
    return std::make_exception_ptr(Error(error.code(), prefix + error.what()));
  } catch (const std::bad_alloc&) {
    return std::make_exception_ptr(Error(ErrorCode::kOutOfMemory, prefix + "out of host memory"));
  } catch (const std::exception& error) {
    return std::make_exception_ptr(Error(ErrorCode::kInternal, prefix + error.what()));
  } catch (...) {
    return std::make_exception_ptr(Error(ErrorCode::kInternal, prefix + "unknown exception"));
  }
}

}  // namespace

Stream::Stream(std::function<void()> on_start)
    : thread_([this, on_start = std::move(on_start)] { work(on_start); }) {}

Stream::~Stream() {
  stop();
}

void Stream::enqueue(const char* name, Task task) {
  push({name, host_epoch_, std::move(task), nullptr});
}

void Stream::enqueue_observer(Observer observer) {
  push({nullptr, host_epoch_, nullptr, std::move(observer)});
}

void Stream::acknowledge(uint64_t epoch) {
  if (epoch == host_epoch_) ++host_epoch_;
}

void Stream::push(Item item) {
  bool was_empty = false;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    was_empty = queue_.empty();
    queue_.push_back(std::move(item));
  }
  if (was_empty) wake_.notify_one();
}

void Stream::stop() {
  // Destroyed outside the lock, because a task may own the last reference to memory.
  std::deque<Item> dropped;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    dropped.swap(queue_);
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Stream::work(const std::function<void()>& on_start) {
  on_start();
  for (;;) {
    Item item;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      item = std::move(queue_.front());
      queue_.pop_front();
    }
    run(item);
    // `item` is destroyed here, before the next task starts: an observer that comes later finds the
    // memory of this task free.
  }
}

void Stream::run(Item& item) {
  if (failure_ && item.epoch > failed_epoch_) failure_ = nullptr;
  if (item.observer) {
    item.observer(failure_, item.epoch);
  } else if (!failure_) {
    try {
      item.task();
    } catch (...) {
      failure_ = named_failure(item.name);
      failed_epoch_ = item.epoch;
    }
  }
}

}  // namespace moa
