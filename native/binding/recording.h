#pragma once
#include <functional>
#include <memory>
#include <type_traits>
#include <vector>

#include "binding/params_reader.h"
#include "moa/backend.h"
#include "moa/error.h"

namespace moa::binding {

/// What a graph keeps on the host: the checks to make again at every replay, and everything that
/// its commands use. Checks belong to the JavaScript thread, commands and tasks to the stream
/// thread.
struct Recording {
  std::vector<std::function<void()>> checks;
  std::vector<std::shared_ptr<const KeepAlive>> keep_alive;
  // With device graphs; null until recorded, and when recording failed.
  std::unique_ptr<CommandGraph> commands;
  std::vector<std::function<void()>> tasks;  // without: the ops themselves
};

/// Whether an op's arguments stay right when it is run again later: prompts go on where a sequence
/// was when they were enqueued.
template <class Params>
constexpr bool kRecordable =
    !std::is_same_v<Params, AttentionPrefillParams> && !std::is_same_v<Params, CacheAppendParams>;

/// Whether they are right depends on the cache's lengths then.
template <class Params>
constexpr bool kDependsOnLengths =
    std::is_same_v<Params, DecodeAppendParams> || std::is_same_v<Params, AttentionDecodeParams>;

}  // namespace moa::binding
