#include "pkg/meta/catalog_log.h"

#include <fmt/format.h>

#include <future>
#include <memory>
#include <utility>

#include "pkg/base/status.h"
#include "pkg/raftnode/not_leader.h"

namespace kdb::meta {
namespace {

// The value of a callback that runs on another thread; the callback may come after the wait was
// given up.
template <typename T>
T WaitFor(std::future<T> future, SteadyTime deadline, const char* what) {
  if (future.wait_until(deadline) == std::future_status::ready) return future.get();
  return absl::UnavailableError(fmt::format("{} was not done in time", what));
}

absl::Status Passive() { return absl::UnavailableError("this meta server is not bootstrapped"); }

}  // namespace

absl::Status CatalogLog::With(absl::FunctionRef<void(raftnode::RaftNode&)> use) const {
  raftnode::RaftNode* node;
  {
    MutexLock lock(mu_);
    if (node_ == nullptr) return Passive();
    node = node_;
    ++uses_;
  }
  use(*node);
  MutexLock lock(mu_);
  if (--uses_ == 0) unused_.NotifyAll();
  return absl::OkStatus();
}

void CatalogLog::Attach(const raftnode::GroupView* group, raftnode::RaftNode* node) {
  MutexLock lock(mu_);
  group_ = group;
  node_ = node;
}

void CatalogLog::Detach() {
  MutexLock lock(mu_);
  group_ = nullptr;
  node_ = nullptr;
  while (uses_ > 0) unused_.Wait(mu_);
}

CatalogLog::Leadership CatalogLog::leadership() const {
  MutexLock lock(mu_);
  return group_ == nullptr ? Leadership() : group_->leadership();
}

raft::NodeId CatalogLog::self() const {
  MutexLock lock(mu_);
  return group_ == nullptr ? raft::kNoNode : group_->self();
}

absl::Status CatalogLog::CheckLeader() const {
  MutexLock lock(mu_);
  if (group_ == nullptr) return Passive();
  return group_->leadership().role == raft::Role::kLeader ? absl::OkStatus() : NotLeaderLocked();
}

absl::Status CatalogLog::NotLeaderLocked() const {
  return raftnode::NotLeader(raftnode::GroupName(0),
                             group_ == nullptr ? "" : group_->LeaderAddress());
}

absl::StatusOr<raft::RaftStatus> CatalogLog::Status() const {
  raft::RaftStatus status;
  KDB_RETURN_IF_ERROR(With([&](raftnode::RaftNode& node) { status = node.Status(); }));
  return status;
}

absl::StatusOr<uint64_t> CatalogLog::Propose(const metalog::Command& command, SteadyTime deadline) {
  std::promise<absl::StatusOr<Payload>> promise;
  auto future = promise.get_future();
  KDB_RETURN_IF_ERROR(With([&](raftnode::RaftNode& node) {
    node.Propose(EncodeCommand(command),
                 [promise = std::move(promise)](absl::StatusOr<Payload> result) mutable {
                   promise.set_value(std::move(result));
                 });
  }));
  absl::StatusOr<Payload> bytes = WaitFor(std::move(future), deadline, "the command");
  if (absl::IsFailedPrecondition(bytes.status())) {
    MutexLock lock(mu_);
    return NotLeaderLocked();
  }
  if (absl::IsAborted(bytes.status())) {
    return absl::UnavailableError(bytes.status().message());
  }
  KDB_RETURN_IF_ERROR(bytes.status());
  KDB_ASSIGN_OR_RETURN(metalog::Result result, DecodeResult(*bytes));
  if (result.code() == 0) return result.version();
  return absl::Status(static_cast<absl::StatusCode>(result.code()), result.message());
}

absl::Status CatalogLog::Barrier(SteadyTime deadline) {
  std::promise<absl::Status> promise;
  auto future = promise.get_future();
  KDB_RETURN_IF_ERROR(With([&](raftnode::RaftNode& node) {
    node.Read([promise = std::move(promise)](absl::Status status) mutable {
      promise.set_value(std::move(status));
    });
  }));
  absl::Status status = WaitFor(std::move(future), deadline, "the read");
  if (!absl::IsFailedPrecondition(status)) return status;
  MutexLock lock(mu_);
  return NotLeaderLocked();
}

absl::Status CatalogLog::TransferLeader(raft::NodeId target, SteadyTime deadline) {
  std::promise<absl::Status> promise;
  auto future = promise.get_future();
  KDB_RETURN_IF_ERROR(With([&](raftnode::RaftNode& node) {
    node.TransferLeader(target, [promise = std::move(promise)](absl::Status status) mutable {
      promise.set_value(std::move(status));
    });
  }));
  return WaitFor(std::move(future), deadline, "the transfer");
}

}  // namespace kdb::meta
