// Replication (3.5), pipelined and flow-controlled (10.2.1), and commitment (3.6.2).
#include <fmt/format.h>

#include <algorithm>

#include "pkg/raft/conf_change.h"
#include "pkg/raft/core.h"

namespace kdb::raft {

// The no-op commits what earlier terms left behind and lets reads begin (6.4).
void Core::BecomeLeader() {
  role_ = Role::kLeader;
  leader_ = config_.id;
  elapsed_ = heartbeat_elapsed_ = 0;
  transferee_ = kNoNode;
  settled_ = false;
  tracker_.Reset(log_.last() + 1);
  uncommitted_.Clear();
  reads_ = {};
  term_start_ = log_.last() + 1;
  AppendOwn(EntryType::kNormal, {});
}

void Core::AppendOwn(EntryType type, Payload data) {
  log_.Append({log_.last() + 1, term_, type, std::move(data)});
  if (Progress* self = tracker_.Find(config_.id)) self->SetSelf(log_.persisted(), log_.last());
}

absl::StatusOr<Index> Core::Propose(std::vector<Payload> data) {
  if (role_ != Role::kLeader) return absl::FailedPreconditionError("not the leader");
  if (transferee_ != kNoNode) {
    return absl::UnavailableError(
        fmt::format("leadership is being handed to node {}", transferee_));
  }
  if (data.empty()) return absl::InvalidArgumentError("nothing proposed");
  size_t bytes = 0;
  for (const Payload& p : data) bytes += p.size() + kEntryOverhead;
  // One proposal is let through however large, else it could never be.
  if (uncommitted_.bytes() > 0 && uncommitted_.bytes() + bytes > config_.max_uncommitted_bytes) {
    return absl::ResourceExhaustedError("too much is not yet committed");
  }
  Index first = log_.last() + 1;
  for (Payload& p : data) AppendOwn(EntryType::kNormal, std::move(p));
  uncommitted_.Add(log_.last(), bytes);
  return first;
}

// Entries of earlier terms are committed only by one of the own term behind them (3.6.2).
void Core::MaybeCommit() {
  Index index = tracker_.CommittedIndex();
  if (index < term_start_ || !log_.CommitTo(index)) return;
  uncommitted_.FreeTo(index);
}

bool Core::WantsAppends() const {
  if (role_ != Role::kLeader) return false;
  for (const Progress& p : tracker_.members()) {
    if (p.id() != config_.id && p.WantsAppend(log_.last())) return true;
  }
  return false;
}

// Called once per Ready, so that everything proposed since the last one travels together.
void Core::SendAppends() {
  if (role_ != Role::kLeader) return;
  for (Progress& p : tracker_.members()) {
    if (p.id() == config_.id) continue;
    while (p.WantsAppend(log_.last())) SendAppend(p);
  }
}

void Core::SendAppend(Progress& to) {
  Index previous = to.next() - 1;
  std::optional<Term> previous_term = log_.TermAt(previous);
  if (!previous_term.has_value()) return SendSnapshot(to);
  Message m = To(to.id(), MessageType::kAppend);
  m.index = previous;
  m.log_term = *previous_term;
  m.commit = log_.commit();
  if (to.MaySendEntries(log_.last())) {
    auto entries = log_.Entries(to.next(), config_.max_append_bytes);
    if (!entries.ok()) return to.Block();
    m.entries = *std::move(entries);
  }
  size_t bytes = 0;
  for (const Entry& e : m.entries) bytes += EntryBytes(e);
  to.SentAppend(m.entries.size(), bytes);
  outbox_.Send(std::move(m));
}

// What it needs is cut from the log. The announcement names the least that lets appends go on; the
// configuration in it is the present one, the fetched snapshot has its own.
void Core::SendSnapshot(Progress& to) {
  Message m = To(to.id(), MessageType::kSnapshot);
  m.snapshot.index = log_.first() - 1;
  m.snapshot.term = *log_.TermAt(m.snapshot.index);
  m.snapshot.conf = tracker_.conf();
  to.BecomeSnapshot(log_.first());
  outbox_.Send(std::move(m));
}

// An announcement may be lost, and the log may have been cut further since.
void Core::RepeatSnapshots() {
  for (Progress& p : tracker_.members()) {
    if (p.state() == ProgressState::kSnapshot) SendSnapshot(p);
  }
}

void Core::SendHeartbeats(bool learners_too) {
  for (const Progress& p : tracker_.members()) {
    if (p.id() == config_.id || (p.learner && !learners_too)) continue;
    Message m = To(p.id(), MessageType::kHeartbeat);
    // Not beyond what it is known to have: its log may differ behind that.
    m.commit = std::min(p.match(), log_.commit());
    m.hint_index = p.match();
    m.context = reads_.round();
    outbox_.Send(std::move(m));
  }
}

void Core::HandleAppendReply(const Message& m, Progress& from) {
  from.NoteHeard();
  if (m.reject) {
    // Where it has a smaller term than this log at the hint, whole terms are skipped (3.5; etcd
    // raft's form).
    from.Rejected(m.index, log_.LastAtOrBelow(m.hint_index, m.hint_term));
    return;
  }
  if (m.index > log_.last()) return;
  if (from.Acked(m.index, log_.first())) {
    MaybeCommit();
    MaybeFinishTransfer(from);
  }
}

void Core::HandleHeartbeatReply(const Message& m, Progress& from) {
  if (m.index < m.hint_index) from.Suspect(m.index);
  from.stalled = m.reject;
  from.HeartbeatAcked(m.context);
  ConfirmReads();
  MaybeFinishTransfer(from);
}

void Core::EntriesReady() {
  log_.EntriesReady();
  for (Progress& p : tracker_.members()) p.Unblock();
}

void Core::ReportUnreachable(NodeId peer) {
  if (Progress* p = tracker_.Find(peer); p != nullptr && role_ == Role::kLeader) p->Unreachable();
}

void Core::ReportSnapshot(NodeId peer, Index index, bool ok) {
  Progress* p = tracker_.Find(peer);
  if (role_ != Role::kLeader || p == nullptr || p->state() != ProgressState::kSnapshot) return;
  p->BecomeProbe(ok ? std::max(p->match(), std::min(index, log_.last())) + 1 : p->match() + 1);
}

}  // namespace kdb::raft
