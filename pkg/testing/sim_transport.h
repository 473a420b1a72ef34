// raftnode::Transport over SimNetwork, for the members of one group.
#pragma once

#include <map>
#include <memory>

#include "pkg/raftnode/raft_node.h"
#include "pkg/raftnode/transport.h"
#include "pkg/testing/sim_network.h"

namespace kdb::testing {

// Outlives the transports it made.
class SimRaftNetwork {
 public:
  // Member `id` is endpoint `base + id` of `network`, which outlives this object.
  SimRaftNetwork(SimNetwork& network, EndpointId base) : network_(network), base_(base) {}

  EndpointId Endpoint(raft::NodeId id) const { return base_ + id; }
  std::unique_ptr<raftnode::Transport> Connect(raft::NodeId id);
  // Messages to `id` go to `node`; null: it is down and they are lost.
  void Attach(raft::NodeId id, raftnode::RaftNode* node) { nodes_[id] = node; }

 private:
  class Link;
  void Send(raft::NodeId from, raft::Message message);

  SimNetwork& network_;
  const EndpointId base_;
  std::map<raft::NodeId, raftnode::RaftNode*> nodes_;
};

}  // namespace kdb::testing
