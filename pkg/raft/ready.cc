// What goes out and comes back: Readies and the notices of persistence and apply.
#include <utility>

#include "pkg/base/check.h"
#include "pkg/raft/core.h"

namespace kdb::raft {

bool Core::HasReady() const {
  return hard_state() != taken_ || log_.has_pending() || !outbox_.empty() || log_.HasCommitted() ||
         !read_states_.empty() || !failed_reads_.empty() || snapshot_.has_value() ||
         forwarded_.has_waiting() || WantsReadRound() || WantsAppends();
}

Ready Core::TakeReady() {
  // Before the entries move into the Ready: appends are cut from them.
  SendReads();
  SendAppends();
  Ready r;
  r.seq = ++seq_;
  HardState now = hard_state();
  bool voted = now.term != taken_.term || now.vote != taken_.vote;
  if (now != taken_) r.hard_state = taken_ = now;
  if (voted) vote_seq_ = seq_;
  r.must_sync = voted || log_.has_pending();
  r.committed = log_.TakeCommitted();
  r.entries = log_.TakePending(seq_);
  r.messages = outbox_.TakeNow();
  r.messages_after_persist = outbox_.TakeAfterPersist();
  r.read_states = std::exchange(read_states_, {});
  r.failed_reads = std::exchange(failed_reads_, {});
  r.snapshot = std::exchange(snapshot_, std::nullopt);
  return r;
}

void Core::Persisted(uint64_t seq) {
  KDB_CHECK(seq <= seq_, "Persisted({}), but only {} were taken", seq, seq_);
  bool vote_durable = taken_.term == term_ && taken_.vote == vote_ && seq >= vote_seq_;
  if (role_ == Role::kCandidate && vote_durable) CountSelfVote();
  if (!log_.Persisted(seq) || role_ != Role::kLeader) return;
  // The leader's own vote for its entries counts now (10.2.1).
  if (Progress* self = tracker_.Find(config_.id)) self->SetSelf(log_.persisted(), log_.last());
  MaybeCommit();
}

void Core::Applied(Index index) {
  log_.Applied(index);
  MaybeAutoLeave();
}

}  // namespace kdb::raft
