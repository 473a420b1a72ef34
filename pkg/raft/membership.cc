// Configuration changes (chapter 4): in force once applied, one at a time.
#include <fmt/format.h>

#include "pkg/raft/conf_change.h"
#include "pkg/raft/core.h"

namespace kdb::raft {

absl::StatusOr<Index> Core::ProposeConfChange(const ConfChange& change) {
  if (role_ != Role::kLeader) return absl::FailedPreconditionError("not the leader");
  if (transferee_ != kNoNode) {
    return absl::FailedPreconditionError("leadership is being handed over");
  }
  // Without it two leaders' changes could both be made on the same base (Ongaro, raft-dev, July
  // 2015).
  if (!CommittedInTerm()) {
    return absl::FailedPreconditionError("nothing of this term has committed yet");
  }
  if (log_.MayHaveConfChange(log_.last())) {
    return absl::FailedPreconditionError("a change is under way");
  }
  auto changed = Changed(tracker_.conf(), change);
  if (!changed.ok()) return absl::FailedPreconditionError(changed.status().message());
  AppendOwn(EntryType::kConfChange, Payload(EncodeConfChange(change)));
  return log_.last();
}

ConfState Core::ApplyConfChange(const ConfChange& change) {
  auto changed = Changed(tracker_.conf(), change);
  if (changed.ok()) Reconfigure(*std::move(changed));
  return tracker_.conf();
}

void Core::Reconfigure(ConfState conf) {
  tracker_.SetConf(std::move(conf), log_.last() + 1);
  if (!IsVoter(tracker_.conf(), config_.id) && role_ != Role::kFollower) {
    // The others learn of the commit before a leader that is out goes (4.2.2).
    if (role_ == Role::kLeader) SendHeartbeats(true);
    BecomeFollower(term_, kNoNode);
  }
  if (role_ != Role::kLeader) return;
  if (!IsVoter(tracker_.conf(), transferee_)) transferee_ = kNoNode;
  // The quorum may be smaller now.
  MaybeCommit();
  ConfirmReads();
}

void Core::MaybeAutoLeave() {
  if (role_ != Role::kLeader || !tracker_.conf().auto_leave || transferee_ != kNoNode) return;
  if (!CommittedInTerm() || log_.MayHaveConfChange(log_.last())) return;
  AppendOwn(EntryType::kConfChange, Payload(EncodeConfChange({})));
}

}  // namespace kdb::raft
