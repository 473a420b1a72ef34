#include "pkg/server/command_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <utility>

#include "pkg/rpc/channel.h"

namespace kdb::server {
namespace {

// Answers of one stream on their way out. Outlives the stream: callbacks of the replica hold it,
// and after Close what they send is dropped.
class ReplyQueue {
 public:
  using Reactor = grpc::ServerBidiReactor<shardpb::CommandsRequest, shardpb::CommandsReply>;

  explicit ReplyQueue(Reactor* reactor) : reactor_(reactor) {}

  void Send(shardpb::CommandsReply reply) {
    MutexLock lock(mu_);
    QueueLocked(std::move(reply));
  }

  // A batch's reply, of any size: one that no message could carry goes in parts.
  using Field = std::string* (shardpb::CommandsReply::*)();
  void SendBatchReply(Field field, std::string_view bytes) {
    MutexLock lock(mu_);
    for (; bytes.size() > kMaxPartBytes; bytes.remove_prefix(kMaxPartBytes)) {
      shardpb::CommandsReply part;
      part.set_part(bytes.data(), kMaxPartBytes);
      QueueLocked(std::move(part));
    }
    shardpb::CommandsReply last;
    (last.*field)()->assign(bytes);
    QueueLocked(std::move(last));
  }

  void OnWriteDone(bool ok) {
    MutexLock lock(mu_);
    if (reactor_ == nullptr || !ok) return;
    queue_.pop_front();
    if (!queue_.empty()) reactor_->StartWrite(&queue_.front());
  }

  // Ends the stream with `status`, once.
  void Finish(const grpc::Status& status) {
    MutexLock lock(mu_);
    if (reactor_ == nullptr) return;
    std::exchange(reactor_, nullptr)->Finish(status);
  }

 private:
  static constexpr size_t kMaxPartBytes = 4 << 20;

  void QueueLocked(shardpb::CommandsReply reply) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (reactor_ == nullptr) return;
    queue_.push_back(std::move(reply));
    if (queue_.size() == 1) reactor_->StartWrite(&queue_.front());
  }

  Mutex mu_;
  Reactor* reactor_ ABSL_GUARDED_BY(mu_);
  std::deque<shardpb::CommandsReply> queue_ ABSL_GUARDED_BY(mu_);  // front: being written
};

shardpb::CommandsReply LeaderChanged(const std::string& address) {
  shardpb::CommandsReply reply;
  reply.mutable_leader_changed()->set_leader_address(address);
  return reply;
}

}  // namespace

class ShardService::Stream final
    : public grpc::ServerBidiReactor<shardpb::CommandsRequest, shardpb::CommandsReply> {
 public:
  Stream(ShardService& service, Replica* replica)
      : service_(service), replica_(replica), replies_(std::make_shared<ReplyQueue>(this)) {
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return replies_->Finish(grpc::Status::OK);
    absl::Status status = Handle();
    if (!status.ok()) return replies_->Finish(rpc::ToGrpc(status));
    request_.Clear();
    StartRead(&request_);
  }
  void OnWriteDone(bool ok) override { replies_->OnWriteDone(ok); }
  void OnCancel() override { End(grpc::Status::CANCELLED); }
  void OnDone() override;

  void End(const grpc::Status& status) { replies_->Finish(status); }
  void Announce(const std::string& leader) { replies_->Send(LeaderChanged(leader)); }

 private:
  absl::Status Handle() {
    if (!welcome_) {
      if (!request_.has_hello())
        return absl::InvalidArgumentError("the stream did not open with a hello");
      welcome_ = true;
      return service_.Check(request_.hello());
    }
    switch (request_.kind_case()) {
      case shardpb::CommandsRequest::kWriteBatch:
        return Write(), absl::OkStatus();
      case shardpb::CommandsRequest::kReadBatch:
        return Read(), absl::OkStatus();
      case shardpb::CommandsRequest::kOpenSession:
        return OpenSession(), absl::OkStatus();
      case shardpb::CommandsRequest::kCloseSession:
        replica_->CloseSession(request_.close_session());
        return absl::OkStatus();
      default:
        return absl::InvalidArgumentError("a request of unknown kind");
    }
  }

  void Write() {
    replica_->Write(request_.write_batch(), [replies = replies_,
                                             replica = replica_](absl::StatusOr<Payload> result) {
      if (!result.ok()) return replies->Send(LeaderChanged(replica->LeaderAddress()));
      replies->SendBatchReply(&shardpb::CommandsReply::mutable_write_reply, result->view());
    });
  }

  void Read() {
    shardpb::ReadBatch& read = *request_.mutable_read_batch();
    replica_->Read(std::move(*read.mutable_batch()), read.id(),
                   [replies = replies_](absl::StatusOr<Payload> result) {
                     if (!result.ok())
                       return;  // the replica is shutting down, and the stream with it
                     replies->SendBatchReply(&shardpb::CommandsReply::mutable_read_reply,
                                             result->view());
                   });
  }

  void OpenSession() {
    uint64_t id = request_.open_session().request_id();
    replica_->OpenSession(
        [replies = replies_, replica = replica_, id](absl::StatusOr<uint64_t> session) {
          shardpb::CommandsReply reply;
          shardpb::SessionOpened& opened = *reply.mutable_session_opened();
          opened.set_request_id(id);
          if (session.ok()) {
            opened.set_session(*session);
            opened.set_log_time_ms(replica->ShardStats().log_time_ms);
          } else {
            opened.set_refusal(std::string(session.status().message()));
            opened.set_leader_address(replica->LeaderAddress());
          }
          replies->Send(std::move(reply));
        });
  }

  ShardService& service_;
  Replica* const replica_;
  const std::shared_ptr<ReplyQueue> replies_;
  shardpb::CommandsRequest request_;
  bool welcome_ = false;
};

// A stream for which there is no replica: told so at once.
class Refused final
    : public grpc::ServerBidiReactor<shardpb::CommandsRequest, shardpb::CommandsReply> {
 public:
  explicit Refused(const absl::Status& why) { Finish(rpc::ToGrpc(why)); }
  void OnDone() override { delete this; }
};

ShardService::ShardService(obs::Registry& metrics)
    : open_streams_(
          metrics.AddGauge("kdb_shard_streams", "Command streams of proxies that are open")) {}

void ShardService::Attach(Replica* replica, const std::string& cluster_id, uint64_t gid) {
  MutexLock lock(mu_);
  replica_ = replica;
  cluster_id_ = cluster_id;
  gid_ = gid;
}

void ShardService::Detach() {
  MutexLock lock(mu_);
  replica_ = nullptr;
  for (Stream* stream : streams_) stream->End(rpc::ToGrpc(absl::UnavailableError("shutting down")));
  while (!streams_.empty()) ended_.Wait(mu_);
}

void ShardService::AnnounceLeader() {
  MutexLock lock(mu_);
  if (replica_ == nullptr) return;
  std::string leader = replica_->LeaderAddress();
  if (replica_->leads()) return;
  for (Stream* stream : streams_) stream->Announce(leader);
}

grpc::ServerBidiReactor<shardpb::CommandsRequest, shardpb::CommandsReply>* ShardService::Commands(
    grpc::CallbackServerContext*) {
  MutexLock lock(mu_);
  if (replica_ == nullptr) {
    return new Refused(absl::UnavailableError("this server is not a member of a group (yet)"));
  }
  streams_.push_back(new Stream(*this, replica_));
  open_streams_.Set(static_cast<double>(streams_.size()));
  return streams_.back();
}

void ShardService::Stream::OnDone() {
  {
    MutexLock lock(service_.mu_);
    auto& streams = service_.streams_;
    streams.erase(std::find(streams.begin(), streams.end(), this));
    service_.open_streams_.Set(static_cast<double>(streams.size()));
    if (streams.empty()) service_.ended_.NotifyAll();
  }
  delete this;
}

absl::Status ShardService::Check(const shardpb::Hello& hello) const {
  MutexLock lock(mu_);
  if (hello.cluster_id() != cluster_id_) {
    return absl::FailedPreconditionError(fmt::format(
        "this server's cluster is {}, the proxy's is {}", cluster_id_, hello.cluster_id()));
  }
  if (hello.gid() != gid_) {
    return absl::FailedPreconditionError(
        fmt::format("this server's group is {}, the stream is meant for {}", gid_, hello.gid()));
  }
  return absl::OkStatus();
}

}  // namespace kdb::server
