// How messages reach peers: the frame protocol in servers (pkg/rpc), a simulated network in tests.
#pragma once

#include <string>
#include <vector>

#include "pkg/raft/types.h"

namespace kdb::raftnode {

struct Peer {
  raft::NodeId id = raft::kNoNode;
  std::string uuid;     // of its data directory: part of its identity, its address is not
  std::string address;  // host:port
};

// Thread-safe. Best effort: messages may be lost, duplicated and reordered. Never blocks: over a
// bound of bytes per peer messages are dropped, appends first, and the drop is reported as
// unreachable.
class Transport {
 public:
  virtual ~Transport() = default;
  // Replaces the set of peers, this member among them; addresses may change. `members_index`: of
  // the entry that they are known from.
  virtual void SetPeers(std::vector<Peer> peers, raft::Index members_index) = 0;
  virtual void Send(std::vector<raft::Message> messages) = 0;
};

}  // namespace kdb::raftnode
