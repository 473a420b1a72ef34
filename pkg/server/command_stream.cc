#include "pkg/server/command_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "pkg/server/command_replies.h"

namespace kdb::server {
namespace {

// The raft message that carries a batch's entry must fit a frame, too.
constexpr size_t kMaxBatchBytes = net::kMaxFrameBytes - (64 << 10);

shardpb::CommandsReply LeaderChanged(const std::string& address) {
  shardpb::CommandsReply reply;
  reply.mutable_leader_changed()->set_leader_address(address);
  return reply;
}

// A stream for which there is no replica is told so.
class Refused final : public net::Handler {
 public:
  absl::Status OnFrame(std::string_view) override {
    return absl::UnavailableError("this server is not a member of a group (yet)");
  }
  void OnClosed(const absl::Status&) override {}
};

}  // namespace

class CommandService::Stream final : public net::Handler {
 public:
  Stream(CommandService& service, Replica* replica, std::shared_ptr<net::Connection> connection)
      : service_(service),
        replica_(replica),
        connection_(std::move(connection)),
        replies_(std::make_shared<CommandReplies>(connection_)) {}

  absl::Status OnFrame(std::string_view body) override {
    if (!request_.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
      return absl::InvalidArgumentError("a malformed request frame");
    }
    absl::Status status = Handle();
    request_.Clear();  // may be large
    return status;
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
        return Write();
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

  absl::Status Write() {
    if (size_t bytes = request_.write_batch().size(); bytes > kMaxBatchBytes) {
      return absl::InvalidArgumentError(
          fmt::format("a batch of {} bytes; the limit is {}", bytes, kMaxBatchBytes));
    }
    replica_->Write(request_.write_batch(),
                    [replies = replies_, replica = replica_](absl::StatusOr<Payload> result) {
                      if (!result.ok())
                        return replies->Send(LeaderChanged(replica->LeaderAddress()));
                      replies->SendWriteReply(result->view());
                    });
    return absl::OkStatus();
  }

  void Read() {
    shardpb::ReadBatch& read = *request_.mutable_read_batch();
    replica_->Read(std::move(*read.mutable_batch()), read.id(),
                   [replies = replies_](absl::StatusOr<Payload> result) {
                     if (!result.ok())
                       return;  // the replica is shutting down, and the stream with it
                     replies->SendReadReply(result->view());
                   });
  }

  void OpenSession() {
    uint64_t id = request_.open_session().request_id();
    replica_->OpenSession(
        [replies = replies_, replica = replica_, id](absl::StatusOr<kv::OpenedSession> session) {
          shardpb::CommandsReply reply;
          shardpb::SessionOpened& opened = *reply.mutable_session_opened();
          opened.set_request_id(id);
          if (session.ok()) {
            opened.set_session(session->session);
            opened.set_log_time_ms(session->log_time_ms);
          } else {
            opened.set_refusal(std::string(session.status().message()));
            opened.set_leader_address(replica->LeaderAddress());
          }
          replies->Send(reply);
        });
  }

  CommandService& service_;
  Replica* const replica_;
  const std::shared_ptr<net::Connection> connection_;
  const std::shared_ptr<CommandReplies> replies_;  // shared with the replica's callbacks
  shardpb::CommandsRequest request_;
  bool welcome_ = false;
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
