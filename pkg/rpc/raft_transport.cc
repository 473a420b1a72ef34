#include "pkg/rpc/raft_transport.h"

#include <chrono>
#include <utility>

#include "pkg/rpc/channel.h"
#include "pkg/rpc/raft_convert.h"

namespace kdb::rpc {
namespace {

constexpr std::chrono::milliseconds kReopenAfter{50};

bool IsBulk(raft::MessageType type) { return type == raft::MessageType::kAppend; }

}  // namespace

struct GrpcRaftTransport::Shared {
  TransportOptions options;
  MemberIdentity self;
  obs::Logger logger;
  std::function<void(raft::NodeId)> on_unreachable;
  obs::Counter& sent;
  obs::Counter& dropped;
  obs::Counter& streams;

  Mutex mu;
  CondVar idle;
  int open_streams ABSL_GUARDED_BY(mu) = 0;
};

// A queue of messages to one peer and the stream that carries them. The stream is opened at the
// first message and again, at most every kReopenAfter, when it broke.
class GrpcRaftTransport::Lane : public std::enable_shared_from_this<GrpcRaftTransport::Lane> {
 public:
  Lane(std::shared_ptr<Shared> shared, const raftnode::Peer& peer, const char* purpose)
      : shared_(std::move(shared)),
        peer_(peer),
        channel_(NewChannel(peer.address, purpose)),
        stub_(raftpb::RaftTransport::NewStub(channel_)) {}

  // False when the message was dropped.
  bool Enqueue(const raft::Message& message) {
    MutexLock lock(mu_);
    size_t bytes = MessageBytes(message);
    // An empty queue takes any message: one entry may be larger than the bound.
    bool full = queued_bytes_ > 0 && queued_bytes_ + bytes > shared_->options.max_queued_bytes;
    if (closed_ || full) return false;
    if (stream_ == nullptr && !OpenLocked()) return false;
    ToProto(message, NextRequestLocked(bytes).proto.add_messages());
    queued_bytes_ += bytes;
    return true;
  }

  // Starts a write when none is under way: called after a burst of Enqueue.
  void Flush() {
    MutexLock lock(mu_);
    if (stream_ != nullptr) stream_->WriteLocked();
  }

  void Close() {
    MutexLock lock(mu_);
    closed_ = true;
    if (stream_ != nullptr) stream_->CancelLocked();
  }

 private:
  struct Request {
    raftpb::StreamRequest proto;
    size_t bytes = 0;
  };

  class Stream final : public grpc::ClientWriteReactor<raftpb::StreamRequest> {
   public:
    explicit Stream(std::shared_ptr<Lane> lane) : lane_(std::move(lane)) {
      lane_->stub_->async()->Stream(&context_, &reply_, this);
    }

    void CancelLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(lane_->mu_) {
      context_.TryCancel();
      ReleaseLocked();
    }

    void WriteLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(lane_->mu_) {
      if (writing_ || released_ || lane_->queue_.empty()) return;
      writing_ = true;
      in_flight_ = std::move(lane_->queue_.front());
      lane_->queue_.erase(lane_->queue_.begin());
      StartWrite(&in_flight_.proto);
    }

    void OnWriteDone(bool ok) override {
      MutexLock lock(lane_->mu_);
      writing_ = false;
      lane_->queued_bytes_ -= in_flight_.bytes;
      in_flight_.bytes = 0;
      if (ok) {
        lane_->shared_->sent.Increment(in_flight_.proto.messages_size());
        WriteLocked();
        if (!writing_) in_flight_.proto.Clear();
      } else {
        ReleaseLocked();
      }
    }

    void OnDone(const grpc::Status& status) override {
      std::shared_ptr<Lane> lane = std::move(lane_);
      lane->StreamEnded(status);
      delete this;
    }

   private:
    // Lets gRPC finish the call; nothing is written afterwards.
    void ReleaseLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(lane_->mu_) {
      if (!std::exchange(released_, true)) RemoveHold();
    }

    std::shared_ptr<Lane> lane_;
    grpc::ClientContext context_;
    raftpb::StreamReply reply_;
    Request in_flight_;
    bool writing_ = false;   // guarded by lane_->mu_
    bool released_ = false;  // guarded by lane_->mu_
  };

  bool OpenLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    auto now = std::chrono::steady_clock::now();
    if (now < reopen_at_) return false;
    reopen_at_ = now + kReopenAfter;
    stream_ = new Stream(shared_from_this());
    {
      MutexLock lock(shared_->mu);
      ++shared_->open_streams;
    }
    shared_->streams.Increment();
    Request& first = queue_.emplace_back();
    raftpb::Hello* hello = first.proto.mutable_hello();
    hello->set_cluster_id(shared_->self.cluster_id);
    hello->set_gid(shared_->self.gid);
    hello->set_from_id(shared_->self.id);
    hello->set_from_uuid(shared_->self.uuid);
    hello->set_to_id(peer_.id);
    hello->set_to_uuid(peer_.uuid);
    // Writes start outside of gRPC's callbacks: the hold keeps OnDone from coming between them.
    stream_->AddHold();
    stream_->StartCall();
    return true;
  }

  Request& NextRequestLocked(size_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (queue_.empty() || (queue_.back().bytes > 0 &&
                           queue_.back().bytes + bytes > shared_->options.max_request_bytes)) {
      queue_.emplace_back();
    }
    queue_.back().bytes += bytes;
    return queue_.back();
  }

  void StreamEnded(const grpc::Status& status) {
    bool closed;
    {
      MutexLock lock(mu_);
      stream_ = nullptr;
      queue_.clear();
      queued_bytes_ = 0;
      closed = closed_;
    }
    if (!closed) {
      shared_->logger->debug("raft stream to member {} at {} ended: {}", peer_.id, peer_.address,
                             status.error_message());
      shared_->on_unreachable(peer_.id);
    }
    MutexLock lock(shared_->mu);
    if (--shared_->open_streams == 0) shared_->idle.NotifyAll();
  }

  const std::shared_ptr<Shared> shared_;
  const raftnode::Peer peer_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<raftpb::RaftTransport::Stub> stub_;

  Mutex mu_;
  std::vector<Request> queue_ ABSL_GUARDED_BY(mu_);
  size_t queued_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  Stream* stream_ ABSL_GUARDED_BY(mu_) = nullptr;  // deletes itself when it has ended
  std::chrono::steady_clock::time_point reopen_at_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

GrpcRaftTransport::GrpcRaftTransport(const TransportOptions& options, MemberIdentity self,
                                     obs::Logger logger, obs::Registry& metrics,
                                     std::function<void(raft::NodeId)> on_unreachable)
    : shared_(new Shared{
          .options = options,
          .self = std::move(self),
          .logger = std::move(logger),
          .on_unreachable = std::move(on_unreachable),
          .sent = metrics.AddCounter("kdb_raft_messages_sent_total", "Raft messages sent to peers"),
          .dropped = metrics.AddCounter("kdb_raft_messages_dropped_total",
                                        "Raft messages dropped: peer down, or its queue full"),
          .streams = metrics.AddCounter("kdb_raft_streams_opened_total", "Raft streams opened"),
          .mu = {},
          .idle = {}}) {}

GrpcRaftTransport::~GrpcRaftTransport() {
  SetPeers({});
  MutexLock lock(shared_->mu);
  while (shared_->open_streams > 0) shared_->idle.Wait(shared_->mu);
}

void GrpcRaftTransport::SetPeers(std::vector<raftnode::Peer> peers) {
  std::map<raft::NodeId, PeerLanes> old;
  MutexLock lock(mu_);
  old.swap(peers_);
  for (raftnode::Peer& peer : peers) {
    if (peer.id == shared_->self.id) continue;
    auto it = old.find(peer.id);
    if (it != old.end() && it->second.peer.address == peer.address &&
        it->second.peer.uuid == peer.uuid) {
      peers_.insert(old.extract(it));
    } else {
      peers_[peer.id] = {peer, NewLane(peer, "raft-control"), NewLane(peer, "raft-append")};
    }
  }
  std::erase_if(retired_, [](const std::shared_ptr<Lane>& lane) { return lane.use_count() == 1; });
  for (auto& [id, lanes] : old) {
    RetireLocked(std::move(lanes.control));
    RetireLocked(std::move(lanes.appends));
  }
}

void GrpcRaftTransport::RetireLocked(std::shared_ptr<Lane> lane) {
  lane->Close();
  retired_.push_back(std::move(lane));
}

void GrpcRaftTransport::Send(std::vector<raft::Message> messages) {
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
  for (raft::NodeId id : unreachable) shared_->on_unreachable(id);
}

std::shared_ptr<GrpcRaftTransport::Lane> GrpcRaftTransport::NewLane(const raftnode::Peer& peer,
                                                                    const char* purpose) {
  return std::make_shared<Lane>(shared_, peer, purpose);
}

}  // namespace kdb::rpc
