// From the core to the apply role: committed entries with their memberships and waiters. The
// core itself holds entries back while too much waits to be applied.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "pkg/raft/raft.h"
#include "pkg/raftnode/applier.h"
#include "pkg/raftnode/maintenance.h"
#include "pkg/raftnode/proposals.h"
#include "pkg/raftnode/raft_node.h"

namespace kdb::raftnode {

// Raft role only.
class CommittedFeed {
 public:
  struct Parts {
    raft::Raft& raft;
    Applier& applier;
    Proposals& proposals;
    Maintenance& maintenance;
    const Clock& clock;
    const NodeMetrics& metrics;
    Observer& observer;
  };
  // All outlive the object. It goes on behind `applied`, where `membership` is in force.
  CommittedFeed(const Parts& parts, raft::Index applied, Membership membership)
      : parts_(parts),
        handed_(applied),
        membership_(std::make_shared<const Membership>(std::move(membership))) {}

  // Entries in log order.
  void Add(std::vector<raft::Entry> committed);

 private:
  CommittedEntry Convert(raft::Entry entry);

  const Parts parts_;
  raft::Index handed_;  // to the applier
  std::shared_ptr<const Membership> membership_;
};

}  // namespace kdb::raftnode
