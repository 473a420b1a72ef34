#include "pkg/rpc/snapshot_link.h"

#include <utility>

#include "pkg/net/connection.h"

namespace kdb::rpc {
namespace {

// Who hears of the connection, until the link is gone.
class Ear {
 public:
  explicit Ear(snapshot::LinkHandler& handler) : handler_(&handler) {}

  template <typename Call>
  void Tell(Call call) {
    MutexLock lock(mu_);
    if (handler_ != nullptr) call(*handler_);
  }
  void Close() {
    MutexLock lock(mu_);
    handler_ = nullptr;
  }

 private:
  Mutex mu_;
  snapshot::LinkHandler* handler_ ABSL_GUARDED_BY(mu_);
};

class Reader final : public net::Handler {
 public:
  explicit Reader(std::shared_ptr<Ear> ear) : ear_(std::move(ear)) {}

  absl::Status OnFrame(std::string_view body) override {
    raftpb::SnapshotReply reply;
    if (!reply.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
      return absl::InvalidArgumentError("a malformed snapshot frame");
    }
    ear_->Tell([&](snapshot::LinkHandler& handler) { handler.OnReply(std::move(reply)); });
    return absl::OkStatus();
  }
  void OnClosed(const absl::Status& why) override {
    ear_->Tell([&](snapshot::LinkHandler& handler) { handler.OnBroken(why); });
  }

 private:
  const std::shared_ptr<Ear> ear_;
};

class FrameLink final : public snapshot::Link {
 public:
  FrameLink(std::shared_ptr<net::Connection> connection, std::shared_ptr<Ear> ear)
      : connection_(std::move(connection)), ear_(std::move(ear)) {}
  ~FrameLink() override {
    ear_->Close();
    connection_->Close();
  }

  void Ask(const raftpb::SnapshotRequest& request) override {
    connection_->Send(net::ToFrame(request));
  }

 private:
  const std::shared_ptr<net::Connection> connection_;
  const std::shared_ptr<Ear> ear_;  // shared with the connection's reader
};

}  // namespace

std::unique_ptr<snapshot::Link> OpenSnapshotLink(asio::io_context& io, const MemberIdentity& self,
                                                 const raftnode::Peer& peer,
                                                 snapshot::LinkHandler& handler) {
  auto ear = std::make_shared<Ear>(handler);
  auto connection = net::Connection::Dial(io, peer.address, net::Service::kSnapshots,
                                          std::make_unique<Reader>(ear));
  raftpb::SnapshotRequest opening;
  *opening.mutable_hello() = HelloTo(self, peer);
  connection->Send(net::ToFrame(opening));
  return std::make_unique<FrameLink>(std::move(connection), std::move(ear));
}

}  // namespace kdb::rpc
