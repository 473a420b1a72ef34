// Follows a transfer of leadership to its end (thesis 3.10).
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "pkg/base/clock.h"
#include "pkg/raft/raft.h"
#include "pkg/raftnode/mailbox.h"

namespace kdb::raftnode {

// Raft role only.
class TransferTracker {
 public:
  // `limit`: how long a deposed leader waits to learn who leads.
  explicit TransferTracker(Clock::Duration limit) : limit_(limit) {}

  void Begin(raft::Raft& raft, Transfer transfer, Clock::Duration now);
  // After anything that may have changed the leader, and on every tick.
  void Check(const raft::Raft& raft, Clock::Duration now);
  void Finish(const absl::Status& status);

 private:
  const Clock::Duration limit_;
  std::vector<Transfer> pending_;  // at most one: the core refuses a second
  Clock::Duration began_{0};
};

}  // namespace kdb::raftnode
