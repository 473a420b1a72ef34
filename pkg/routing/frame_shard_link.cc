#include "pkg/routing/frame_shard_link.h"

#include <fmt/format.h>

#include <utility>

#include "pkg/net/connection.h"
#include "proto/shard.pb.h"

namespace kdb::routing {
namespace {

using shardpb::CommandsReply;
using shardpb::CommandsRequest;

// Twice what a kv server lets the replies of a batch come to.
constexpr size_t kMaxReplyBytes = 512 << 20;

// Hands replies on. Belongs to the connection, which may outlive the link for a moment.
class Receiver final : public net::Handler {
 public:
  // `*owner` is null when the link is gone.
  explicit Receiver(std::shared_ptr<ShardLinkHandler*> owner) : owner_(std::move(owner)) {}

  absl::Status OnFrame(std::string_view body) override {
    if (*owner_ == nullptr) return absl::OkStatus();
    if (!reply_.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
      return absl::InvalidArgumentError("a malformed reply frame");
    }
    if (reply_.kind_case() == CommandsReply::kPart) return Keep(reply_.part());
    Join();
    Deliver(**owner_);
    reply_.Clear();  // may be large
    return absl::OkStatus();
  }

  void OnClosed(const absl::Status& why) override {
    if (*owner_ != nullptr) (*owner_)->OnBroken(why);
  }

 private:
  absl::Status Keep(std::string_view part) {
    if (parts_.size() + part.size() > kMaxReplyBytes) {
      return absl::ResourceExhaustedError(
          fmt::format("a reply of more than {} bytes", kMaxReplyBytes));
    }
    parts_.append(part);
    (*owner_)->OnProgress();
    return absl::OkStatus();
  }

  // Puts the parts in front of their reply. Replies of other kinds may come between.
  void Join() {
    bool read = reply_.kind_case() == CommandsReply::kReadReply;
    bool write = reply_.kind_case() == CommandsReply::kWriteReply;
    if (parts_.empty() || !(read || write)) return;
    std::string& last = read ? *reply_.mutable_read_reply() : *reply_.mutable_write_reply();
    parts_.append(last);
    last = std::exchange(parts_, {});
  }

  void Deliver(ShardLinkHandler& owner) {
    switch (reply_.kind_case()) {
      case CommandsReply::kWriteReply:
        return owner.OnWriteReply(reply_.write_reply());
      case CommandsReply::kReadReply:
        return owner.OnReadReply(reply_.read_reply());
      case CommandsReply::kSessionOpened: {
        const shardpb::SessionOpened& opened = reply_.session_opened();
        return owner.OnSessionOpened(opened.request_id(), opened.session(), opened.log_time_ms(),
                                     opened.refusal(), opened.leader_address());
      }
      case CommandsReply::kLeaderChanged:
        return owner.OnLeaderChanged(reply_.leader_changed().leader_address());
      case CommandsReply::kPart:  // joined
      case CommandsReply::KIND_NOT_SET:
        return;  // of a later release
    }
  }

  const std::shared_ptr<ShardLinkHandler*> owner_;
  CommandsReply reply_;
  std::string parts_;  // of a reply that is not whole yet
};

class Link final : public ShardLink {
 public:
  Link(asio::io_context& io, const std::string& address, ShardLinkHandler& handler)
      : handler_(std::make_shared<ShardLinkHandler*>(&handler)),
        connection_(net::Connection::Dial(io, address, net::Service::kCommands,
                                          std::make_unique<Receiver>(handler_))) {}
  ~Link() override {
    *handler_ = nullptr;
    connection_->Close();
  }

  void Send(const CommandsRequest& request) { connection_->Send(net::ToFrame(request)); }

  void OpenSession(uint64_t request_id) override {
    CommandsRequest request;
    request.mutable_open_session()->set_request_id(request_id);
    Send(request);
  }
  void CloseSession(uint64_t session) override {
    CommandsRequest request;
    request.set_close_session(session);
    Send(request);
  }
  void SendWrite(std::string batch) override {
    CommandsRequest request;
    request.set_write_batch(std::move(batch));
    Send(request);
  }
  void SendRead(uint64_t id, std::string batch) override {
    CommandsRequest request;
    request.mutable_read_batch()->set_id(id);
    request.mutable_read_batch()->set_batch(std::move(batch));
    Send(request);
  }

 private:
  const std::shared_ptr<ShardLinkHandler*> handler_;   // null when this is gone
  const std::shared_ptr<net::Connection> connection_;  // shared with its asynchronous operations
};

}  // namespace

FrameShardLinkFactory::FrameShardLinkFactory(asio::io_context& io, std::string client)
    : io_(io), client_(std::move(client)) {}

std::unique_ptr<ShardLink> FrameShardLinkFactory::Connect(uint64_t gid, const std::string& address,
                                                          ShardLinkHandler& handler) {
  auto link = std::make_unique<Link>(io_, address, handler);
  CommandsRequest hello;
  hello.mutable_hello()->set_cluster_id(cluster_id_);
  hello.mutable_hello()->set_gid(gid);
  hello.mutable_hello()->set_client(client_);
  link->Send(hello);
  return link;
}

}  // namespace kdb::routing
