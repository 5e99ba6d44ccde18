#pragma once
#include <functional>
#include <memory>
#include <type_traits>
#include <vector>

#include "binding/params_reader.h"
#include "moa/backend.h"
#include "moa/error.h"

namespace moa::binding {

/// What a graph keeps on the host: the checks that are made again at every replay, and everything
/// that its commands use. Only the JavaScript thread uses the checks; only the stream thread uses
/// commands and tasks.
struct Recording {
  std::vector<std::function<void()>> checks;
  std::vector<std::shared_ptr<const KeepAlive>> keep_alive;
  // Only with device graphs. Null until the recording has ended, and when it failed.
  std::unique_ptr<CommandGraph> commands;
  // Only without device graphs: the ops themselves.
  std::vector<std::function<void()>> tasks;
};

/// Whether an op's arguments are still right when the op is replayed later. Those of a prompt are
/// not: its segments name the positions at which its sequences stood when it was enqueued.
template <class Params>
constexpr bool kRecordable =
    !std::is_same_v<Params, AttentionPrefillParams> && !std::is_same_v<Params, CacheAppendParams>;

/// Whether the arguments are valid depends on the lengths of the cache at the time of the replay.
template <class Params>
constexpr bool kDependsOnLengths =
    std::is_same_v<Params, DecodeAppendParams> || std::is_same_v<Params, AttentionDecodeParams>;

}  // namespace moa::binding
