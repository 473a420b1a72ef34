// Leadership handed over before a planned stop, so that clients wait for a transfer and not for an
// election.
#pragma once

#include <chrono>

#include "absl/status/status.h"
#include "pkg/raftnode/raft_node.h"

namespace kdb::raftnode {

// Who of a leader's followers could take over at once, with the most log; kNoNode: nobody.
raft::NodeId BestSuccessor(const raft::RaftStatus& status);

// Blocks until the best follower leads, or for
// `limit`. OK at once on a node that does not lead. FAILED_PRECONDITION: no follower can take over.
// Not from a role of the node.
absl::Status HandOver(RaftNode& node, std::chrono::milliseconds limit);

}  // namespace kdb::raftnode
