#pragma once
#include <string>

namespace moa::binding {

/// From now on a thread ends the process with exit code 130 when SIGINT, SIGTERM or SIGHUP came and
/// `unwatch_signals` was not called within `grace_ms`: JavaScript, which answers signals, is then
/// in the middle of a call that does not return. The last words go to standard error. Signals
/// without a handler are left alone; handlers must be there before, and stay until after
/// `unwatch_signals`. Another call replaces the last words.
void watch_signals(int grace_ms, std::string last_words);

void unwatch_signals();

}  // namespace moa::binding
