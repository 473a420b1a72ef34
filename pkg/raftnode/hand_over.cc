#include "pkg/raftnode/hand_over.h"

#include <memory>
#include <optional>

#include "pkg/base/mutex.h"

namespace kdb::raftnode {
namespace {

// Shared with the callback, which may come after the caller gave up.
struct Outcome {
  Mutex mu;
  CondVar done;
  std::optional<absl::Status> status ABSL_GUARDED_BY(mu);
};

}  // namespace

raft::NodeId BestSuccessor(const raft::RaftStatus& status) {
  const raft::ProgressStatus* best = nullptr;
  for (const raft::ProgressStatus& p : status.progress) {
    if (p.id == status.id || !p.may_lead) continue;
    if (best == nullptr || p.match > best->match) best = &p;
  }
  return best == nullptr ? raft::kNoNode : best->id;
}

absl::Status HandOver(RaftNode& node, std::chrono::milliseconds limit) {
  raft::RaftStatus status = node.Status();
  if (status.role != raft::Role::kLeader) return absl::OkStatus();
  raft::NodeId target = BestSuccessor(status);
  if (target == raft::kNoNode) {
    return absl::FailedPreconditionError("no follower could take over at once");
  }
  auto outcome = std::make_shared<Outcome>();
  node.TransferLeader(target, [outcome](absl::Status s) {
    MutexLock lock(outcome->mu);
    outcome->status = std::move(s);
    outcome->done.NotifyAll();
  });
  auto deadline = std::chrono::steady_clock::now() + limit;
  MutexLock lock(outcome->mu);
  while (!outcome->status.has_value()) {
    if (!outcome->done.WaitUntil(outcome->mu, deadline)) break;
  }
  return outcome->status.value_or(absl::DeadlineExceededError("no new leader in time"));
}

}  // namespace kdb::raftnode
