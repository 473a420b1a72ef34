// Transfer of leadership to a named member (3.10).
#include <fmt/format.h>

#include "pkg/raft/conf_change.h"
#include "pkg/raft/core.h"

namespace kdb::raft {

// Nothing is proposed during a transfer: a target that could not take over at once would cost the
// group's clients an election timeout for nothing.
std::string Core::TransferRefusal(const Progress& to) const {
  const NodeId id = to.id();
  if (!IsVoter(tracker_.conf(), id)) return fmt::format("node {} is a learner", id);
  if (to.suspect()) return fmt::format("node {} lost data that it acknowledged", id);
  if (to.stalled) return fmt::format("node {} has a disk that stalls", id);
  if (to.unreachable) return fmt::format("node {} cannot be reached", id);
  // A leader of less than an election timeout knows too little to tell.
  if (!settled_ && to.match() == 0) return "";
  if (!to.heard_lately()) return fmt::format("node {} was not heard of lately", id);
  if (to.state() == ProgressState::kSnapshot ||
      log_.last() - to.match() > config_.max_transfer_lag) {
    return fmt::format("node {} lags: it has {} of {} entries", id, to.match(), log_.last());
  }
  return "";
}

absl::Status Core::TransferLeader(NodeId target) {
  auto refuse = [](const std::string& why) { return absl::FailedPreconditionError(why); };
  if (role_ != Role::kLeader) return refuse("not the leader");
  if (target == config_.id) return refuse(fmt::format("node {} leads already", target));
  const Progress* to = tracker_.Find(target);
  if (to == nullptr) return refuse(fmt::format("node {} is no member", target));
  if (std::string why = TransferRefusal(*to); !why.empty()) return refuse(why);
  if (transferee_ != kNoNode) {
    return refuse(fmt::format("leadership is being handed to node {} already", transferee_));
  }
  transferee_ = target;
  transfer_elapsed_ = 0;
  MaybeFinishTransfer(*to);
  return absl::OkStatus();
}

void Core::MaybeFinishTransfer(const Progress& from) {
  if (from.id() != transferee_ || from.match() != log_.last()) return;
  outbox_.Send(To(transferee_, MessageType::kTransferTo));
}

void Core::TickTransfer() {
  if (transferee_ != kNoNode && ++transfer_elapsed_ >= config_.election_ticks) {
    transferee_ = kNoNode;
  }
}

}  // namespace kdb::raft
