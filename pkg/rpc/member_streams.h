// The raft streams of one member, both ways.
#pragma once

#include <memory>
#include <vector>

#include "pkg/raftnode/group_view.h"
#include "pkg/raftnode/identity.h"
#include "pkg/raftnode/raft_node.h"
#include "pkg/rpc/raft_transport.h"

namespace kdb::rpc {

// How streams name the member of a directory that is born.
MemberIdentity SelfOf(const raftnode::Identity& identity);

// Sends for a node, and hands it what members of its group send. Thread-safe.
class MemberStreams final : private RaftSink {
 public:
  // `io` is that of the server's loop. `service` and `metrics` outlive it.
  MemberStreams(const TransportOptions& options, asio::io_context& io, MemberIdentity self,
                RaftService& service, const obs::Logger& logger, obs::Registry& metrics);
  // Not from the thread of `io`. The node that sends by it is gone.
  ~MemberStreams() override;

  raftnode::Transport& transport() { return transport_; }

  // From now on messages go to `node`, until Close. Streams of whom `group` does not admit are
  // refused.
  void Open(raftnode::GroupView& group, raftnode::RaftNode& node);
  // Waits for deliveries that are under way. Safe to repeat.
  void Close();

 private:
  absl::Status Accept(const raftpb::Hello& hello) override;
  void Deliver(std::vector<raft::Message> messages) override;
  uint64_t members_version() const override;
  void OnUnreachable(raft::NodeId peer, const absl::Status& why);

  const MemberIdentity self_;
  RaftService& service_;
  // Set before the first stream is accepted; Close waits for their use.
  raftnode::GroupView* group_ = nullptr;
  raftnode::RaftNode* node_ = nullptr;

  Mutex mu_;
  // node_, while the transport may report to it.
  raftnode::RaftNode* reachable_ ABSL_GUARDED_BY(mu_) = nullptr;

  // Last: its streams report until it is gone.
  RaftTransport transport_;
};

}  // namespace kdb::rpc
