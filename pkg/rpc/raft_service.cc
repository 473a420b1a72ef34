#include <absl/strings/escaping.h>
#include <fmt/format.h>

#include "pkg/raftnode/membership.h"
#include "pkg/rpc/raft_convert.h"
#include "pkg/rpc/raft_transport.h"

namespace kdb::rpc {
namespace {

// For logs: a stranger says who it is in any bytes.
std::string NameOf(const std::string& cluster_id, uint64_t gid, raft::NodeId id,
                   const std::string& uuid) {
  return fmt::format("member {} of {} of cluster {} (directory {})", id, raftnode::GroupName(gid),
                     absl::CHexEscape(cluster_id), absl::CHexEscape(uuid));
}

absl::Status Misdirected(const raftpb::Hello& hello, const std::string& here) {
  return absl::FailedPreconditionError(fmt::format(
      "expected {}, found {}: put that member's directory back at its address, or correct the "
      "addresses; a new or emptied directory is a new member",
      NameOf(hello.cluster_id(), hello.gid(), hello.to_id(), hello.to_uuid()), here));
}

}  // namespace

// One incoming stream.
class RaftService::Reader final : public net::Handler {
 public:
  Reader(RaftService& service, std::string peer_host)
      : service_(service), peer_host_(std::move(peer_host)) {}

  absl::Status OnFrame(std::string_view body) override {
    if (!request_.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
      return absl::InvalidArgumentError("a malformed raft frame");
    }
    return Take();
  }
  void OnClosed(const absl::Status&) override {}

 private:
  absl::Status Take() {
    if (!welcome_) {
      if (!request_.has_hello())
        return absl::InvalidArgumentError("the stream did not open with a hello");
      hello_ = request_.hello();
    }
    // Its member may have been removed since.
    const uint64_t version = service_.members_version();
    if (!welcome_ || version != version_) {
      if (absl::Status s = service_.Accept(hello_, peer_host_); !s.ok()) return s;
      welcome_ = true;
      version_ = version;
    }
    std::vector<raft::Message> messages;
    messages.reserve(request_.messages_size());
    for (raftpb::Message& in : *request_.mutable_messages()) {
      absl::StatusOr<raft::Message> message = FromProto(&in);
      if (!message.ok()) return message.status();
      if (message->from != hello_.from_id()) {
        return absl::InvalidArgumentError(
            fmt::format("a message from member {} on the stream of member {}", message->from,
                        hello_.from_id()));
      }
      messages.push_back(*std::move(message));
    }
    return messages.empty() ? absl::OkStatus() : service_.Deliver(std::move(messages));
  }

  RaftService& service_;
  const std::string peer_host_;
  raftpb::StreamRequest request_;
  bool welcome_ = false;
  raftpb::Hello hello_;
  uint64_t version_ = 0;  // of the members, when it was welcome
};

void RaftService::Attach(RaftSink* sink) {
  MutexLock lock(mu_);
  sink_ = sink;
}

void RaftService::Detach() {
  MutexLock lock(mu_);
  sink_ = nullptr;
  while (delivering_ > 0) idle_.Wait(mu_);
}

std::unique_ptr<net::Handler> RaftService::Open(const std::string& peer) {
  // Its port is another for each connection.
  return std::make_unique<Reader>(*this, peer.substr(0, peer.rfind(':')));
}

absl::Status RaftService::Accept(const raftpb::Hello& hello, const std::string& peer_host) {
  absl::Status status = Check(hello);
  if (absl::IsFailedPrecondition(status) || absl::IsNotFound(status)) {
    refusals_.Warn(
        fmt::format("refuses the raft streams of {} from {}: {}",
                    NameOf(hello.cluster_id(), hello.gid(), hello.from_id(), hello.from_uuid()),
                    peer_host, std::string(status.message())),
        std::chrono::steady_clock::now());
  }
  return status;
}

absl::Status RaftService::Check(const raftpb::Hello& hello) {
  MutexLock lock(mu_);
  if (sink_ == nullptr && hello.to_uuid() != uuid_) {
    return Misdirected(hello, fmt::format("directory {}, which is no member (yet)", uuid_));
  }
  if (sink_ == nullptr)
    return absl::UnavailableError("this server is not a member of a group (yet)");
  return sink_->Accept(hello);
}

uint64_t RaftService::members_version() {
  MutexLock lock(mu_);
  return sink_ == nullptr ? 0 : sink_->members_version();
}

absl::Status RaftService::Deliver(std::vector<raft::Message> messages) {
  RaftSink* sink;
  {
    MutexLock lock(mu_);
    if (sink_ == nullptr) return absl::UnavailableError("shutting down");
    sink = sink_;
    ++delivering_;
  }
  sink->Deliver(std::move(messages));
  MutexLock lock(mu_);
  if (--delivering_ == 0) idle_.NotifyAll();
  return absl::OkStatus();
}

absl::Status CheckHello(const raftpb::Hello& hello, const MemberIdentity& self) {
  if (hello.cluster_id() == self.cluster_id && hello.gid() == self.gid &&
      hello.to_id() == self.id && hello.to_uuid() == self.uuid) {
    return absl::OkStatus();
  }
  return Misdirected(hello, NameOf(self.cluster_id, self.gid, self.id, self.uuid));
}

}  // namespace kdb::rpc
