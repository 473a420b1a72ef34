// From the core to the apply role: committed entries with their configurations and waiters. The
// core itself holds entries back while too much waits to be applied.
#pragma once

#include <cstddef>
#include <vector>

#include "pkg/raft/raft.h"
#include "pkg/raftnode/applier.h"
#include "pkg/raftnode/maintenance.h"
#include "pkg/raftnode/proposals.h"

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
  };
  // All outlive the object.
  CommittedFeed(const Parts& parts, raft::Index applied) : parts_(parts), handed_(applied) {}

  // Entries in log order.
  void Add(std::vector<raft::Entry> committed);

 private:
  CommittedEntry Convert(raft::Entry entry);

  const Parts parts_;
  raft::Index handed_;  // to the applier
};

}  // namespace kdb::raftnode
