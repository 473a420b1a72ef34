// Asking every shard group from a local command.
#pragma once

#include <chrono>

#include "pkg/base/executor.h"
#include "pkg/routing/router.h"

namespace kdb::proxy {

// INFO is what clients and tools ask first and often: it must not take as long as a command may
// that waits for an election.
inline constexpr std::chrono::milliseconds kShardsPatience{500};

// LocalCall::AskShards. Not thread-safe: on the router's executor.
void AskAllShards(routing::Router& router, Executor& executor, const redis::Command& command,
                  routing::RepliesDone done);

}  // namespace kdb::proxy
