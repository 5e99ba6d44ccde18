#pragma once
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

namespace moa {

/// One worker thread that runs tasks in the order they were enqueued.
///
/// Failures: when a task throws, its error is kept, and later tasks are skipped until the host has
/// learned of it. To that end every task carries the epoch in which the host enqueued it, and
/// `acknowledge` starts a new epoch: a failure skips the rest of its epoch. So of two reads that
/// were enqueued before the host knew of a failure, both report it, and neither returns what a
/// skipped op never wrote.
class Stream {
 public:
  /// A task that is skipped when an earlier task of its epoch has failed.
  using Task = std::function<void()>;
  /// A task that always runs. `failure` is null unless an earlier task of its epoch has failed.
  /// Must not throw.
  using Observer = std::function<void(std::exception_ptr failure, uint64_t epoch)>;

  explicit Stream(std::function<void()> on_start);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  /// `name` says in the error which op failed. It must be a string literal.
  void enqueue(const char* name, Task task);
  void enqueue_observer(Observer observer);
  /// The host calls this once it knows of the failure that an observer got in `epoch`: tasks that
  /// are enqueued from then on run again.
  void acknowledge(uint64_t epoch);
  /// Drops the tasks that have not started, waits for the one that runs, then ends the thread.
  /// Idempotent.
  void stop();

 private:
  struct Item {
    const char* name = nullptr;
    uint64_t epoch = 0;
    Task task;
    Observer observer;
  };
  void push(Item item);
  void work(const std::function<void()>& on_start);
  void run(Item& item);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Item> queue_;
  bool stopping_ = false;
  uint64_t host_epoch_ = 0;  // enqueueing thread only
  // Worker thread only.
  std::exception_ptr failure_;
  uint64_t failed_epoch_ = 0;

  std::thread thread_;
};

}  // namespace moa
