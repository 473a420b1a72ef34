// Raft messages over the frame protocol (pkg/net). Each peer has two connections: control (votes,
// heartbeats, answers) and appends, so that bulk never delays a heartbeat. Every stream opens with
// who speaks to whom; a mismatch ends it (design 3).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pkg/base/mutex.h"
#include "pkg/net/connection.h"
#include "pkg/obs/limited_log.h"
#include "pkg/obs/log.h"
#include "pkg/obs/metrics.h"
#include "pkg/raft/types.h"
#include "pkg/raftnode/transport.h"
#include "proto/raft.pb.h"

namespace kdb::rpc {

// A member as a stream names it.
struct MemberIdentity {
  std::string cluster_id;
  uint64_t gid = 0;
  raft::NodeId id = raft::kNoNode;
  std::string uuid;
};

// What opens a stream to `peer`.
raftpb::Hello HelloTo(const MemberIdentity& self, const raftnode::Peer& peer);

// Where received messages go. Thread-safe.
class RaftSink {
 public:
  virtual ~RaftSink() = default;
  // OK: the stream of this peer is welcome. NOT_FOUND: it was a member, and is none any more. The
  // message of an error goes back to the peer.
  virtual absl::Status Accept(const raftpb::Hello& hello) = 0;
  virtual void Deliver(std::vector<raft::Message> messages) = 0;
  // When it is another than at Accept, a stream that is open is asked for its hello again.
  virtual uint64_t members_version() const { return 0; }
};

// The receiving side of a server. Refuses streams with UNAVAILABLE while no sink is attached, and
// those meant for another directory with FAILED_PRECONDITION at any time. Thread-safe.
class RaftService {
 public:
  // `uuid` of the server's directory.
  RaftService(std::string uuid, obs::Logger logger)
      : uuid_(std::move(uuid)), refusals_(std::move(logger)) {}

  // `sink` must stay valid until Detach returned.
  void Attach(RaftSink* sink);
  // Waits for deliveries that are under way; open streams are refused at their next message.
  void Detach();

  // A new connection of `peer`, "host:port"; for net::Listener.
  std::unique_ptr<net::Handler> Open(const std::string& peer);

 private:
  class Reader;

  // Logs a refusal that lasts until somebody does something.
  absl::Status Accept(const raftpb::Hello& hello, const std::string& peer_host);
  absl::Status Check(const raftpb::Hello& hello);
  absl::Status Deliver(std::vector<raft::Message> messages);
  uint64_t members_version();

  const std::string uuid_;
  obs::LimitedLog refusals_;

  Mutex mu_;
  CondVar idle_;
  RaftSink* sink_ ABSL_GUARDED_BY(mu_) = nullptr;
  int delivering_ ABSL_GUARDED_BY(mu_) = 0;
};

// The identity check that every sink wants: same cluster and group, meant for this member. The
// error names both members and what to do.
absl::Status CheckHello(const raftpb::Hello& hello, const MemberIdentity& self);

struct TransportOptions {
  size_t max_queued_bytes =
      16 << 20;  // per peer and lane, or one message; beyond, messages are dropped
  size_t max_request_bytes = 4 << 20;  // of messages in one frame, or one message
};

// The sending side. Messages leave on the thread that sends them.
class RaftTransport final : public raftnode::Transport {
 public:
  using OnUnreachable = std::function<void(raft::NodeId peer, const absl::Status& why)>;

  // Its connections run on `io`, whose thread outlives the transport. `on_unreachable` is called,
  // from any thread, when messages to a peer were dropped (OK) or its stream ended: why.
  RaftTransport(const TransportOptions& options, asio::io_context& io, MemberIdentity self,
                const obs::Logger& logger, obs::Registry& metrics, OnUnreachable on_unreachable);
  // Closes the streams and waits for them. Not from the thread of `io`.
  ~RaftTransport() override;

  void SetPeers(std::vector<raftnode::Peer> peers, raft::Index members_index) override;
  void Send(std::vector<raft::Message> messages) override;

 private:
  class Lane;
  struct PeerLanes {
    raftnode::Peer peer;
    // Shared with the handler of the connection that is open.
    std::shared_ptr<Lane> control;
    std::shared_ptr<Lane> appends;
  };
  struct Shared;

  // Shared with the lanes, which outlive their peer's removal until their connection is closed.
  std::shared_ptr<Shared> shared_;
  Mutex mu_;
  std::map<raft::NodeId, PeerLanes> peers_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kdb::rpc
