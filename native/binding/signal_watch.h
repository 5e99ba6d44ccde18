#pragma once
#include <string>

namespace moa::binding {

/// Starts a watch: if SIGINT, SIGTERM or SIGHUP arrives and `unwatch_signals` is not called within
/// `grace_ms` after it, a thread ends the process with exit code 130. JavaScript, which should
/// answer the signal, is then in a call that does not return. The thread writes `last_words` to
/// standard error first. Signals without a handler are left alone; handlers must exist before this
/// call and stay until after `unwatch_signals`. Another call replaces the last words.
void watch_signals(int grace_ms, std::string last_words);

void unwatch_signals();

}  // namespace moa::binding
