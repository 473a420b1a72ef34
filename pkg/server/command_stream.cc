#include "pkg/server/command_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace kdb::server {
namespace {

// What a proxy leaves unread is at most this: two batches in flight with the largest replies, and
// reads.
constexpr size_t kMaxQueuedBytes = 768 << 20;
constexpr size_t kMaxPartBytes = 4 << 20;

// Answers of one stream on their way out. Callbacks of the replica hold it; once the connection is
// closed what they send is dropped.
class Replies {
 public:
  explicit Replies(std::shared_ptr<net::Connection> connection)
      : connection_(std::move(connection)) {}

  void Send(const shardpb::CommandsReply& reply) { connection_->Send(net::ToFrame(reply)); }

  // A batch's reply, of any size: one that no frame could carry goes in parts.
  using Field = std::string* (shardpb::CommandsReply::*)();
  void SendBatchReply(Field field, std::string_view bytes) {
    if (connection_->queued_bytes() > kMaxQueuedBytes) return connection_->Close();
    MutexLock lock(mu_);
    for (; bytes.size() > kMaxPartBytes; bytes.remove_prefix(kMaxPartBytes)) {
      shardpb::CommandsReply part;
      part.set_part(bytes.data(), kMaxPartBytes);
      Send(part);
    }
    shardpb::CommandsReply last;
    (last.*field)()->assign(bytes);
    Send(last);
  }

 private:
  Mutex mu_;                                           // keeps the parts of one reply together
  const std::shared_ptr<net::Connection> connection_;  // shared with its asynchronous operations
};

shardpb::CommandsReply LeaderChanged(const std::string& address) {
  shardpb::CommandsReply reply;
  reply.mutable_leader_changed()->set_leader_address(address);
  return reply;
}

}  // namespace

class CommandService::Stream final : public net::Handler {
 public:
  Stream(CommandService& service, Replica* replica, std::shared_ptr<net::Connection> connection)
      : service_(service),
        replica_(replica),
        connection_(std::move(connection)),
        replies_(std::make_shared<Replies>(connection_)) {}

  absl::Status OnFrame(std::string_view body) override {
    if (!request_.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
      return absl::InvalidArgumentError("a malformed request frame");
    }
    return Handle();
  }
  void OnClosed(const absl::Status& why) override;

  void End(const absl::Status& why) { connection_->Fail(why); }
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

  CommandService& service_;
  Replica* const replica_;
  const std::shared_ptr<net::Connection> connection_;
  const std::shared_ptr<Replies> replies_;
  shardpb::CommandsRequest request_;
  bool welcome_ = false;
};

// A stream for which there is no replica is told so at once.
class Refused final : public net::Handler {
 public:
  absl::Status OnFrame(std::string_view) override {
    return absl::UnavailableError("this server is not a member of a group (yet)");
  }
  void OnClosed(const absl::Status&) override {}
};

CommandService::CommandService(net::Loop& loop, obs::Registry& metrics)
    : loop_(loop),
      open_streams_(
          metrics.AddGauge("kdb_shard_streams", "Command streams of proxies that are open")) {}

void CommandService::Attach(Replica* replica, const std::string& cluster_id, uint64_t gid) {
  MutexLock lock(mu_);
  replica_ = replica;
  cluster_id_ = cluster_id;
  gid_ = gid;
}

void CommandService::Detach() {
  // On the loop, and so not while a frame is handled.
  loop_.RunAndWait([this] {
    MutexLock lock(mu_);
    replica_ = nullptr;
    for (Stream* stream : streams_) stream->End(absl::UnavailableError("shutting down"));
  });
}

void CommandService::AnnounceLeader() {
  MutexLock lock(mu_);
  if (replica_ == nullptr || replica_->leads()) return;
  std::string leader = replica_->LeaderAddress();
  for (Stream* stream : streams_) stream->Announce(leader);
}

std::unique_ptr<net::Handler> CommandService::Open(std::shared_ptr<net::Connection> connection) {
  MutexLock lock(mu_);
  if (replica_ == nullptr) return std::make_unique<Refused>();
  auto stream = std::make_unique<Stream>(*this, replica_, std::move(connection));
  streams_.push_back(stream.get());
  open_streams_.Set(static_cast<double>(streams_.size()));
  return stream;
}

void CommandService::Stream::OnClosed(const absl::Status&) {
  MutexLock lock(service_.mu_);
  auto& streams = service_.streams_;
  streams.erase(std::find(streams.begin(), streams.end(), this));
  service_.open_streams_.Set(static_cast<double>(streams.size()));
}

absl::Status CommandService::Check(const shardpb::Hello& hello) const {
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
