#include "pkg/rpc/raft_transport.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "pkg/rpc/raft_convert.h"

namespace kdb::rpc {
namespace {

constexpr std::chrono::milliseconds kReopenAfter{50};

bool IsBulk(raft::MessageType type) { return type == raft::MessageType::kAppend; }

}  // namespace

raftpb::Hello HelloTo(const MemberIdentity& self, const raftnode::Peer& peer) {
  raftpb::Hello hello;
  hello.set_cluster_id(self.cluster_id);
  hello.set_gid(self.gid);
  hello.set_from_id(self.id);
  hello.set_from_uuid(self.uuid);
  hello.set_to_id(peer.id);
  hello.set_to_uuid(peer.uuid);
  return hello;
}

struct RaftTransport::Shared {
  TransportOptions options;
  asio::io_context& io;
  MemberIdentity self;
  obs::Logger logger;
  OnUnreachable on_unreachable;
  obs::Counter& sent;
  obs::Counter& dropped;
  obs::Counter& streams;
  obs::LimitedLog refusals;

  Mutex mu;
  CondVar idle;
  int open_streams ABSL_GUARDED_BY(mu) = 0;
  // What this member says of itself.
  std::string own_address ABSL_GUARDED_BY(mu);
  raft::Index members_index ABSL_GUARDED_BY(mu) = 0;
};

// Messages of one kind to one peer and the connection that carries them. It is opened at the first
// message and again, at most every kReopenAfter, when it broke.
class RaftTransport::Lane : public std::enable_shared_from_this<RaftTransport::Lane> {
 public:
  Lane(std::shared_ptr<Shared> shared, const raftnode::Peer& peer)
      : shared_(std::move(shared)), peer_(peer) {}

  // False when the message was dropped. Flush follows.
  bool Enqueue(const raft::Message& message) {
    MutexLock lock(mu_);
    if (closed_ || (connection_ == nullptr && !OpenLocked())) return false;
    size_t bytes = MessageBytes(message);
    // A queue with no more than a hello takes any message: one entry may be larger than the bound.
    size_t queued = batch_bytes_ + connection_->queued_bytes();
    if (queued > net::kMaxHelloBytes && queued + bytes > shared_->options.max_queued_bytes)
      return false;
    if (batch_bytes_ > 0 && batch_bytes_ + bytes > shared_->options.max_request_bytes)
      FlushLocked();
    ToProto(message, batch_.add_messages());
    batch_bytes_ += bytes;
    return true;
  }

  void Flush() {
    MutexLock lock(mu_);
    FlushLocked();
  }

  void Close() {
    MutexLock lock(mu_);
    closed_ = true;
    if (connection_ != nullptr) connection_->Close();
  }

 private:
  // The peer says nothing on this connection but why it ends.
  class Watcher final : public net::Handler {
   public:
    explicit Watcher(std::shared_ptr<Lane> lane) : lane_(std::move(lane)) {}
    absl::Status OnFrame(std::string_view) override {
      return absl::InvalidArgumentError("raft streams carry frames in one direction");
    }
    void OnClosed(const absl::Status& why) override { lane_->StreamEnded(why); }

   private:
    const std::shared_ptr<Lane> lane_;
  };

  bool OpenLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    auto now = std::chrono::steady_clock::now();
    if (now < reopen_at_) return false;
    reopen_at_ = now + kReopenAfter;
    raftpb::StreamRequest opening;
    *opening.mutable_hello() = HelloTo(shared_->self, peer_);
    {
      MutexLock lock(shared_->mu);
      ++shared_->open_streams;
      opening.mutable_hello()->set_from_address(shared_->own_address);
      opening.mutable_hello()->set_members_index(shared_->members_index);
    }
    shared_->streams.Increment();
    connection_ = net::Connection::Dial(shared_->io, peer_.address, net::Service::kRaft,
                                        std::make_unique<Watcher>(shared_from_this()));
    connection_->Send(net::ToFrame(opening));
    return true;
  }

  void FlushLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (connection_ == nullptr || batch_.messages_size() == 0) return;
    connection_->Send(net::ToFrame(batch_));
    shared_->sent.Increment(batch_.messages_size());
    batch_.Clear();
    batch_bytes_ = 0;
  }

  void StreamEnded(const absl::Status& why) {
    bool closed;
    {
      MutexLock lock(mu_);
      connection_ = nullptr;
      batch_.Clear();
      batch_bytes_ = 0;
      closed = closed_;
    }
    if (!closed) {
      Log(why);
      shared_->on_unreachable(peer_.id, why);
    }
    MutexLock lock(shared_->mu);
    if (--shared_->open_streams == 0) shared_->idle.NotifyAll();
  }

  void Log(const absl::Status& why) {
    // What lasts until somebody does something; a peer that is down comes back by itself.
    if (absl::IsFailedPrecondition(why) || absl::IsNotFound(why)) {
      shared_->refusals.Warn(fmt::format("member {} at {} refuses raft streams: {}", peer_.id,
                                         peer_.address, std::string(why.message())),
                             std::chrono::steady_clock::now());
    } else {
      shared_->logger->debug("raft stream to member {} at {} ended: {}", peer_.id, peer_.address,
                             why.ToString());
    }
  }

  const std::shared_ptr<Shared> shared_;
  const raftnode::Peer peer_;

  Mutex mu_;
  raftpb::StreamRequest batch_ ABSL_GUARDED_BY(mu_);  // the next frame
  size_t batch_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  // Shared with its asynchronous operations.
  std::shared_ptr<net::Connection> connection_ ABSL_GUARDED_BY(mu_);
  std::chrono::steady_clock::time_point reopen_at_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

RaftTransport::RaftTransport(const TransportOptions& options, asio::io_context& io,
                             MemberIdentity self, const obs::Logger& logger, obs::Registry& metrics,
                             OnUnreachable on_unreachable)
    : shared_(new Shared{
          .options = options,
          .io = io,
          .self = std::move(self),
          .logger = logger,
          .on_unreachable = std::move(on_unreachable),
          .sent = metrics.AddCounter("kdb_raft_messages_sent_total", "Raft messages sent to peers"),
          .dropped = metrics.AddCounter("kdb_raft_messages_dropped_total",
                                        "Raft messages dropped: peer down, or its queue full"),
          .streams = metrics.AddCounter("kdb_raft_streams_opened_total", "Raft streams opened"),
          .refusals = obs::LimitedLog(logger),
          .mu = {},
          .idle = {},
          .own_address = {},
          .members_index = 0}) {}

RaftTransport::~RaftTransport() {
  SetPeers({}, 0);
  MutexLock lock(shared_->mu);
  while (shared_->open_streams > 0) shared_->idle.Wait(shared_->mu);
}

void RaftTransport::SetPeers(std::vector<raftnode::Peer> peers, raft::Index members_index) {
  std::map<raft::NodeId, PeerLanes> old;
  MutexLock lock(mu_);
  old.swap(peers_);
  for (raftnode::Peer& peer : peers) {
    if (peer.id == shared_->self.id) {
      MutexLock own_lock(shared_->mu);
      shared_->own_address = peer.address;
      shared_->members_index = members_index;
      continue;
    }
    auto it = old.find(peer.id);
    if (it != old.end() && it->second.peer.address == peer.address &&
        it->second.peer.uuid == peer.uuid) {
      peers_.insert(old.extract(it));
    } else {
      peers_[peer.id] = {peer, std::make_shared<Lane>(shared_, peer),
                         std::make_shared<Lane>(shared_, peer)};
    }
  }
  for (auto& [id, lanes] : old) {
    lanes.control->Close();
    lanes.appends->Close();
  }
}

void RaftTransport::Send(std::vector<raft::Message> messages) {
  std::vector<raft::NodeId> unreachable;
  {
    MutexLock lock(mu_);
    for (const raft::Message& message : messages) {
      auto it = peers_.find(message.to);
      if (it == peers_.end()) continue;
      Lane& lane = IsBulk(message.type) ? *it->second.appends : *it->second.control;
      if (!lane.Enqueue(message)) {
        shared_->dropped.Increment();
        if (IsBulk(message.type)) unreachable.push_back(message.to);
      }
    }
    for (auto& [id, lanes] : peers_) {
      lanes.control->Flush();
      lanes.appends->Flush();
    }
  }
  for (raft::NodeId id : unreachable) shared_->on_unreachable(id, absl::OkStatus());
}

}  // namespace kdb::rpc
