// raftnode::Transport over SimNetwork, for the members of one group.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "pkg/raft/types.h"
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
  // Messages to `id` go to `sink`; null: it is down and they are lost.
  using Sink = std::function<void(std::vector<raft::Message>)>;
  void Attach(raft::NodeId id, Sink sink) { sinks_[id] = std::move(sink); }
  // Sees every message that is sent, lost ones too.
  void SetTap(std::function<void(const raft::Message&)> tap) { tap_ = std::move(tap); }

 private:
  class Link;
  void Send(raft::NodeId from, raft::Message message);

  SimNetwork& network_;
  const EndpointId base_;
  std::map<raft::NodeId, Sink> sinks_;
  std::function<void(const raft::Message&)> tap_;
};

}  // namespace kdb::testing
