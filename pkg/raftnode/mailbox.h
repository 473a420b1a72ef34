// The raft role's inbox. However much arrives while it is busy, one task is posted: a burst is one
// wake-up.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "pkg/base/gated_executor.h"
#include "pkg/base/mutex.h"
#include "pkg/raftnode/proposals.h"
#include "pkg/raftnode/read_queue.h"

namespace kdb::raftnode {

struct Transfer {
  raft::NodeId target = raft::kNoNode;
  absl::AnyInvocable<void(absl::Status)> done;
};

struct Inbox {
  std::vector<Task> events;  // from the other roles
  std::vector<raft::Message> messages;
  size_t message_bytes = 0;
  std::vector<Proposal> proposals;
  std::vector<PendingRead> reads;
  // Refused already; their callbacks run on the raft role, for callers may hold locks in Propose
  // and Read.
  std::vector<ProposeDone> refused_proposals;
  std::vector<ReadDone> refused_reads;
  std::vector<Transfer> transfers;
  std::vector<raft::NodeId> unreachable;
  bool campaign = false;
};

// Thread-safe.
class Mailbox {
 public:
  // `drain` is called on `role` when there is something to Take.
  Mailbox(GatedExecutor& role, std::function<void()> drain)
      : role_(role), drain_(std::move(drain)) {}

  // `fill` is called with the inbox, under a mutex.
  template <typename Fill>
  void Add(Fill&& fill) {
    {
      MutexLock lock(mu_);
      fill(inbox_);
      if (std::exchange(scheduled_, true)) return;
    }
    role_.Post(drain_);
  }

  Inbox Take() {
    MutexLock lock(mu_);
    scheduled_ = false;
    return std::exchange(inbox_, Inbox());
  }

 private:
  GatedExecutor& role_;
  const std::function<void()> drain_;
  Mutex mu_;
  Inbox inbox_ ABSL_GUARDED_BY(mu_);
  bool scheduled_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace kdb::raftnode
