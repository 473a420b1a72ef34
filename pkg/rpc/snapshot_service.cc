#include "pkg/rpc/snapshot_service.h"

#include <fmt/format.h>

#include <atomic>
#include <utility>

namespace kdb::rpc {
namespace {

// Of one connection, asked and not answered, and answered and not sent: who asks faster than it
// reads gets no more.
constexpr int kMaxQuestions = 64;
constexpr size_t kMaxQueuedBytes = 64 << 20;

absl::Status Refused() {
  return absl::UnavailableError("this server is not a member of a group (yet)");
}

}  // namespace

class SnapshotService::Stream final : public net::Handler {
 public:
  Stream(SnapshotService& service, std::shared_ptr<net::Connection> connection)
      : service_(service), connection_(std::move(connection)) {}

  absl::Status OnFrame(std::string_view body) override {
    raftpb::SnapshotRequest request;
    if (!request.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
      return absl::InvalidArgumentError("a malformed snapshot frame");
    }
    if (!std::exchange(greeted_, true)) {
      if (!request.has_hello()) {
        return absl::InvalidArgumentError("the stream did not open with a hello");
      }
      return service_.Accept(request.hello());
    }
    return Ask(std::move(request));
  }
  void OnClosed(const absl::Status&) override {}

 private:
  absl::Status Ask(raftpb::SnapshotRequest request) {
    if (*questions_ >= kMaxQuestions || connection_->queued_bytes() > kMaxQueuedBytes) {
      return absl::ResourceExhaustedError(fmt::format(
          "more than {} questions, or {} bytes of answers, wait", kMaxQuestions, kMaxQueuedBytes));
    }
    ++*questions_;
    auto answer = [questions = questions_,
                   connection = connection_](const absl::StatusOr<raftpb::SnapshotReply>& reply) {
      --*questions;
      if (!reply.ok()) return connection->Fail(reply.status());
      connection->Send(net::ToFrame(*reply));
    };
    return service_.Ask(std::move(request), std::move(answer));
  }

  SnapshotService& service_;
  const std::shared_ptr<net::Connection> connection_;
  // Shared with the answers under way.
  const std::shared_ptr<std::atomic<int>> questions_ = std::make_shared<std::atomic<int>>(0);
  bool greeted_ = false;
};

void SnapshotService::Attach(Check check, snapshot::Source* source) {
  MutexLock lock(mu_);
  check_ = std::move(check);
  source_ = source;
}

void SnapshotService::Detach() {
  MutexLock lock(mu_);
  check_ = nullptr;
  source_ = nullptr;
}

std::unique_ptr<net::Handler> SnapshotService::Open(std::shared_ptr<net::Connection> connection) {
  return std::make_unique<Stream>(*this, std::move(connection));
}

absl::Status SnapshotService::Accept(const raftpb::Hello& hello) {
  MutexLock lock(mu_);
  return source_ == nullptr ? Refused() : check_(hello);
}

absl::Status SnapshotService::Ask(raftpb::SnapshotRequest request,
                                  snapshot::Source::Answer answer) {
  MutexLock lock(mu_);
  if (source_ == nullptr) return Refused();
  source_->Ask(std::move(request), std::move(answer));
  return absl::OkStatus();
}

}  // namespace kdb::rpc
