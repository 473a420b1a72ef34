#include "pkg/testing/sim_transport.h"

#include <utility>

namespace kdb::testing {

class SimRaftNetwork::Link final : public raftnode::Transport {
 public:
  Link(SimRaftNetwork& owner, raft::NodeId self) : owner_(owner), self_(self) {}

  // Members are found by id; addresses mean nothing here.
  void SetPeers(std::vector<raftnode::Peer>, raft::Index) override {}
  void Send(std::vector<raft::Message> messages) override {
    for (raft::Message& m : messages) owner_.Send(self_, std::move(m));
  }

 private:
  SimRaftNetwork& owner_;
  const raft::NodeId self_;
};

std::unique_ptr<raftnode::Transport> SimRaftNetwork::Connect(raft::NodeId id) {
  return std::make_unique<Link>(*this, id);
}

void SimRaftNetwork::Send(raft::NodeId from, raft::Message message) {
  if (tap_) tap_(message);
  raft::NodeId to = message.to;
  network_.Send(Endpoint(from), Endpoint(to), [this, to, message = std::move(message)] {
    const Sink& sink = sinks_[to];
    if (sink) sink({message});
  });
}

}  // namespace kdb::testing
