// Raft messages over gRPC. Each peer has two connections: control (votes, heartbeats, answers) and
// appends, so that bulk never delays a heartbeat. Every stream opens with who speaks to whom; a
// mismatch ends it (design 3).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pkg/base/mutex.h"
#include "pkg/obs/log.h"
#include "pkg/obs/metrics.h"
#include "pkg/raft/types.h"
#include "pkg/raftnode/transport.h"
#include "proto/raft.grpc.pb.h"

namespace kdb::rpc {

// A member as a stream names it.
struct MemberIdentity {
  std::string cluster_id;
  uint64_t gid = 0;
  raft::NodeId id = raft::kNoNode;
  std::string uuid;
};

// Where received messages go. Thread-safe.
class RaftSink {
 public:
  virtual ~RaftSink() = default;
  // OK: the stream of this peer is welcome. The message of an error goes back to the peer.
  virtual absl::Status Accept(const raftpb::Hello& hello) = 0;
  virtual void Deliver(std::vector<raft::Message> messages) = 0;
};

// The receiving side. Refuses streams with UNAVAILABLE while no sink is attached.
class RaftService final : public raftpb::RaftTransport::CallbackService {
 public:
  // `sink` must stay valid until Detach returned.
  void Attach(RaftSink* sink);
  // Waits for deliveries that are under way; open streams are refused at their next message.
  void Detach();

  grpc::ServerReadReactor<raftpb::StreamRequest>* Stream(grpc::CallbackServerContext* context,
                                                         raftpb::StreamReply* reply) override;

 private:
  class Reader;

  absl::Status Accept(const raftpb::Hello& hello);
  absl::Status Deliver(std::vector<raft::Message> messages);

  Mutex mu_;
  CondVar idle_;
  RaftSink* sink_ ABSL_GUARDED_BY(mu_) = nullptr;
  int delivering_ ABSL_GUARDED_BY(mu_) = 0;
};

// The identity check that every sink wants: same cluster and group, meant for this member.
absl::Status CheckHello(const raftpb::Hello& hello, const MemberIdentity& self);

struct TransportOptions {
  size_t max_queued_bytes =
      16 << 20;  // per peer and lane, or one message; beyond, messages are dropped
  size_t max_request_bytes = 4 << 20;  // of messages in one gRPC message, or one message
};

// The sending side.
class GrpcRaftTransport final : public raftnode::Transport {
 public:
  // `on_unreachable` is called, from any thread, when messages to a peer were dropped or its stream
  // broke.
  GrpcRaftTransport(const TransportOptions& options, MemberIdentity self, obs::Logger logger,
                    obs::Registry& metrics, std::function<void(raft::NodeId)> on_unreachable);
  // Cancels the streams and waits for them.
  ~GrpcRaftTransport() override;

  void SetPeers(std::vector<raftnode::Peer> peers) override;
  void Send(std::vector<raft::Message> messages) override;

 private:
  class Lane;
  struct PeerLanes {
    raftnode::Peer peer;
    // Shared with the gRPC callbacks of the stream that is open.
    std::shared_ptr<Lane> control;
    std::shared_ptr<Lane> appends;
  };
  struct Shared;

  std::shared_ptr<Lane> NewLane(const raftnode::Peer& peer, const char* purpose);
  void RetireLocked(std::shared_ptr<Lane> lane) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Shared with the lanes, which outlive their peer's removal until their stream has ended.
  std::shared_ptr<Shared> shared_;
  Mutex mu_;
  std::map<raft::NodeId, PeerLanes> peers_ ABSL_GUARDED_BY(mu_);
  // Closed; kept until their stream has ended, so that a channel is never destroyed on gRPC's own
  // thread, which its destruction may join.
  std::vector<std::shared_ptr<Lane>> retired_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kdb::rpc
