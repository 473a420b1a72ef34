// ReadIndex (6.4).
#include "pkg/raft/core.h"

namespace kdb::raft {

absl::Status Core::ReadIndex(uint64_t context) {
  if (role_ == Role::kLeader) {
    reads_.Add({config_.id, context});
    return absl::OkStatus();
  }
  if (leader_ == kNoNode) return absl::FailedPreconditionError("no leader is known");
  forwarded_.Add(context);
  return absl::OkStatus();
}

// Until an entry of its own term has committed a leader does not know what is committed.
bool Core::WantsReadRound() const {
  return role_ == Role::kLeader && CommittedInTerm() && reads_.WantsRound();
}

// Called once per Ready: what came since the last one shares a round, or a message to the leader.
void Core::SendReads() {
  if (WantsReadRound()) {
    reads_.StartRound(log_.commit());
    SendHeartbeats(false);
    ConfirmReads();
  }
  if (forwarded_.has_waiting()) {
    Message m = To(leader_, MessageType::kReadIndex);
    m.context = forwarded_.Send(now_ + static_cast<uint64_t>(config_.election_ticks));
    outbox_.Send(std::move(m));
  }
}

void Core::ConfirmReads() {
  if (reads_.round() == 0) return;
  for (const ReadRounds::Confirmed& c : reads_.Confirm(tracker_.ConfirmedRound(config_.id))) {
    if (c.request.from == config_.id) {
      read_states_.push_back({c.request.context, c.index});
      continue;
    }
    Message m = To(c.request.from, MessageType::kReadIndexReply);
    m.context = c.request.context;
    m.index = c.index;
    outbox_.Send(std::move(m));
  }
}

// Those of followers fail there: by the new term, or by their deadline.
void Core::FailReads() {
  for (const ReadRequest& r : reads_.TakeAll()) {
    if (r.from == config_.id) failed_reads_.push_back(r.context);
  }
}

void Core::FailForwardedReads(std::vector<uint64_t> contexts) {
  failed_reads_.insert(failed_reads_.end(), contexts.begin(), contexts.end());
}

void Core::HandleReadIndex(const Message& m) {
  if (role_ == Role::kLeader) reads_.Add({m.from, m.context});
}

void Core::HandleReadIndexReply(const Message& m) {
  for (uint64_t context : forwarded_.Answer(m.context)) read_states_.push_back({context, m.index});
}

}  // namespace kdb::raft
