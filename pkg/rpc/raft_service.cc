#include <fmt/format.h>

#include "pkg/rpc/raft_convert.h"
#include "pkg/rpc/raft_transport.h"

namespace kdb::rpc {

// One incoming stream.
class RaftService::Reader final : public net::Handler {
 public:
  explicit Reader(RaftService& service) : service_(service) {}

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
      if (absl::Status s = service_.Accept(request_.hello()); !s.ok()) return s;
      from_ = request_.hello().from_id();
      welcome_ = true;
    }
    std::vector<raft::Message> messages;
    messages.reserve(request_.messages_size());
    for (raftpb::Message& in : *request_.mutable_messages()) {
      absl::StatusOr<raft::Message> message = FromProto(&in);
      if (!message.ok()) return message.status();
      if (message->from != from_) {
        return absl::InvalidArgumentError(fmt::format(
            "a message from member {} on the stream of member {}", message->from, from_));
      }
      messages.push_back(*std::move(message));
    }
    return messages.empty() ? absl::OkStatus() : service_.Deliver(std::move(messages));
  }

  RaftService& service_;
  raftpb::StreamRequest request_;
  bool welcome_ = false;
  raft::NodeId from_ = raft::kNoNode;
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

std::unique_ptr<net::Handler> RaftService::Open() { return std::make_unique<Reader>(*this); }

absl::Status RaftService::Accept(const raftpb::Hello& hello) {
  MutexLock lock(mu_);
  if (sink_ == nullptr)
    return absl::UnavailableError("this server is not a member of a group (yet)");
  return sink_->Accept(hello);
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
  auto refuse = [](std::string_view what, const auto& theirs, const auto& ours) {
    return absl::FailedPreconditionError(
        fmt::format("this server's {} is {}, the stream is meant for {}", what, ours, theirs));
  };
  if (hello.cluster_id() != self.cluster_id)
    return refuse("cluster", hello.cluster_id(), self.cluster_id);
  if (hello.gid() != self.gid) return refuse("group", hello.gid(), self.gid);
  if (hello.to_id() != self.id) return refuse("member id", hello.to_id(), self.id);
  if (hello.to_uuid() != self.uuid) return refuse("directory", hello.to_uuid(), self.uuid);
  return absl::OkStatus();
}

}  // namespace kdb::rpc
