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
/// Failures: when a task throws, its error is kept and the tasks of that stretch are skipped. The
/// stretch ends where the host has learned of the error: every task carries the host's epoch, and
/// `acknowledge` starts a new one. So of two reads enqueued after a failure both are told, and
/// neither gives what a skipped op never wrote.
class Stream {
 public:
  /// A task that is skipped in a failed stretch.
  using Task = std::function<void()>;
  /// A task that always runs; `failure` is null unless the stretch failed. Must not throw.
  using Observer = std::function<void(std::exception_ptr failure, uint64_t epoch)>;

  explicit Stream(std::function<void()> on_start);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  /// `name` must be a literal: it says in the error which op failed.
  void enqueue(const char* name, Task task);
  void enqueue_observer(Observer observer);
  /// The host knows of the failure that an observer got in `epoch`: what is enqueued from now on
  /// runs again.
  void acknowledge(uint64_t epoch);
  /// Drops what has not started, waits for the task that runs, ends the thread. Idempotent.
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
