#include "pkg/raftnode/transfer_tracker.h"

#include <fmt/format.h>

#include <utility>

namespace kdb::raftnode {

void TransferTracker::Begin(raft::Raft& raft, Transfer transfer, Clock::Duration now) {
  if (raft.role() == raft::Role::kLeader && raft.leader() == transfer.target) {
    return transfer.done(absl::OkStatus());
  }
  if (absl::Status s = raft.TransferLeader(transfer.target); !s.ok()) {
    transfer.done(s);
    return;
  }
  began_ = now;
  pending_.push_back(std::move(transfer));
  Check(raft, now);
}

void TransferTracker::Check(const raft::Raft& raft, Clock::Duration now) {
  if (pending_.empty()) return;
  raft::NodeId target = pending_.front().target;
  raft::NodeId leader = raft.leader();
  if (leader == target) return Finish(absl::OkStatus());
  if (raft.role() == raft::Role::kLeader) {
    if (raft.Status().transferee == raft::kNoNode)
      Finish(absl::DeadlineExceededError(
          fmt::format("member {} did not take over in time; leadership stays", target)));
    return;
  }
  if (leader != raft::kNoNode)
    return Finish(absl::AbortedError(fmt::format("member {} became leader instead", leader)));
  if (now - began_ > limit_)
    Finish(absl::DeadlineExceededError("no leader is known after the transfer"));
}

void TransferTracker::Finish(const absl::Status& status) {
  std::vector<Transfer> ended = std::exchange(pending_, {});
  for (Transfer& t : ended) t.done(status);
}

}  // namespace kdb::raftnode
