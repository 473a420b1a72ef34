// The threads of a member in a server. The raft role is the server's: it runs on the loop of the
// connections.
#pragma once

#include <memory>

#include "pkg/base/executor.h"
#include "pkg/raftnode/raft_node.h"

namespace kdb::raftnode {

struct RoleThreads {
  std::unique_ptr<Executor> log = NewThreadExecutor("log");
  std::unique_ptr<Executor> apply = NewThreadExecutor("apply");
  std::unique_ptr<Executor> background = NewThreadExecutor("background");
  // Not roles of the node.
  std::unique_ptr<Executor> snapshots = NewThreadExecutor("snapshots");
  std::unique_ptr<Executor> members = NewThreadExecutor("members");

  Executors With(Executor& raft) const { return {raft, *log, *apply, *background}; }
};

}  // namespace kdb::raftnode
