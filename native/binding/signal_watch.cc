#include "binding/signal_watch.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <utility>

#include "moa/error.h"

namespace moa::binding {

namespace {

// A handler of a signal gets only the number of the signal, so the data that it needs is global.
// Nothing here is ever destroyed, because the thread runs until the process ends.

constexpr std::array<int, 3> kSignals = {SIGINT, SIGTERM, SIGHUP};
/// The exit code that a shell reports for a program that was interrupted; exit-code.ts has the
/// same.
constexpr int kAborted = 130;
constexpr char kCame = 's';
constexpr char kUnwatched = 'u';

struct Watch {
  std::mutex mutex;
  std::string last_words;
  int grace_ms = 0;
  bool on = false;
};

Watch& watch() {
  static Watch& watch = *new Watch;
  return watch;
}

/// The handlers that were there before.
std::array<struct sigaction, NSIG> previous;
/// A pipe from the handlers to the thread, with one byte for each event.
std::array<int, 2> events = {-1, -1};

void say(char event) {
  [[maybe_unused]] const ssize_t written = write(events[1], &event, 1);
}

void on_signal(int number, siginfo_t* info, void* context) {
  const int error = errno;
  say(kCame);
  const struct sigaction& before = previous[number];
  if ((before.sa_flags & SA_SIGINFO) != 0) {
    before.sa_sigaction(number, info, context);
  } else {
    before.sa_handler(number);
  }
  errno = error;
}

[[noreturn]] void end_process() {
  const std::lock_guard lock(watch().mutex);
  const std::string& words = watch().last_words;
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, words.data(), words.size());
  // This loses nothing: the file of records consists of whole lines at any time. exit() would wait
  // for threads that are at work.
  _exit(kAborted);
}

char next_event() {
  char event = 0;
  while (read(events[0], &event, 1) != 1) {
    if (errno != EINTR) return 0;
  }
  return event;
}

/// Whether the watch ends before its time is up.
bool unwatched_within(std::chrono::milliseconds grace) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point end = Clock::now() + grace;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
    if (left.count() <= 0) return false;
    pollfd waiting = {events[0], POLLIN, 0};
    if (poll(&waiting, 1, static_cast<int>(left.count())) > 0 && next_event() == kUnwatched)
      return true;
  }
}

void run() {
  for (;;) {
    const char event = next_event();
    if (event == 0) return;
    if (event != kCame) continue;
    int grace_ms = 0;
    {
      const std::lock_guard lock(watch().mutex);
      grace_ms = watch().grace_ms;
    }
    if (!unwatched_within(std::chrono::milliseconds(grace_ms))) end_process();
  }
}

void start_thread() {
  if (events[0] >= 0) return;
  if (pipe(events.data()) != 0)
    throw Error(ErrorCode::kUnavailable, "Could not watch signals: no pipe could be made");
  for (const int end : events) fcntl(end, F_SETFD, FD_CLOEXEC);
  fcntl(events[1], F_SETFL, O_NONBLOCK);  // a handler never waits
  std::thread(run).detach();
}

}  // namespace

void watch_signals(int grace_ms, std::string last_words) {
  const std::lock_guard lock(watch().mutex);
  watch().last_words = std::move(last_words);
  watch().grace_ms = grace_ms;
  if (watch().on) return;
  start_thread();
  watch().on = true;
  for (const int number : kSignals) {
    sigaction(number, nullptr, &previous[number]);
    const struct sigaction& before = previous[number];
    if (before.sa_handler == SIG_DFL || before.sa_handler == SIG_IGN) continue;
    struct sigaction ours = before;
    ours.sa_flags |= SA_SIGINFO;
    ours.sa_sigaction = on_signal;
    sigaction(number, &ours, nullptr);
  }
}

void unwatch_signals() {
  const std::lock_guard lock(watch().mutex);
  if (!watch().on) return;
  watch().on = false;
  for (const int number : kSignals) sigaction(number, &previous[number], nullptr);
  say(kUnwatched);
}

}  // namespace moa::binding
