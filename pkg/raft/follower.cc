// What a follower does with a leader's messages (3.5, 5.3).
#include <algorithm>

#include "pkg/base/check.h"
#include "pkg/raft/core.h"

namespace kdb::raft {
namespace {

// What a peer's decoder cannot know: entries follow (index, log_term) without a gap, terms do not
// decrease.
bool WellFormed(const Message& m) {
  Index index = m.index;
  Term term = m.log_term;
  for (const Entry& e : m.entries) {
    if (e.index != ++index || e.term < term || e.term > m.term) return false;
    term = e.term;
  }
  return true;
}

}  // namespace

// Only a leader sends these, and there is one per term.
bool Core::FollowSender(const Message& m) {
  if (role_ == Role::kLeader) return false;
  if (role_ != Role::kFollower || leader_ != m.from) BecomeFollower(term_, m.from);
  elapsed_ = 0;
  return true;
}

void Core::HandleAppend(Message m) {
  if (!WellFormed(m)) return;
  // What is committed matches; a delayed message must not be taken for a conflict.
  if (m.index < log_.commit()) return ReplyAppended(m.from, log_.commit());
  if (!log_.Matches(m.index, m.log_term)) return ReplyMismatch(m);
  Index matched = m.index + m.entries.size();
  log_.Merge(std::move(m.entries));
  log_.CommitTo(std::min(m.commit, matched));
  ReplyAppended(m.from, matched);
}

void Core::ReplyAppended(NodeId to, Index index) {
  Message reply = To(to, MessageType::kAppendReply);
  reply.index = index;
  outbox_.Send(std::move(reply));
}

// The hint skips entries whose term the leader's log does not have there.
void Core::ReplyMismatch(const Message& m) {
  Message reply = To(m.from, MessageType::kAppendReply);
  reply.reject = true;
  reply.index = m.index;
  reply.hint_index = log_.LastAtOrBelow(std::min(m.index, log_.last()), m.log_term);
  reply.hint_term = log_.TermAt(reply.hint_index).value_or(0);
  outbox_.Send(std::move(reply));
}

void Core::HandleHeartbeat(const Message& m) {
  // The log ends below what was acknowledged: what is here is not to be trusted, and the reply
  // tells the leader. Not compared with persisted(): an acknowledgement may leave before Persisted
  // is called.
  bool intact = log_.last() >= m.hint_index;
  if (!intact && lost_ == 0) lost_ = m.hint_index;
  if (intact && m.commit <= m.hint_index) log_.CommitTo(m.commit);
  Message reply = To(m.from, MessageType::kHeartbeatReply);
  reply.context = m.context;
  reply.hint_index = m.hint_index;
  reply.index = log_.last();
  reply.reject = stalled_;
  outbox_.Send(std::move(reply));
}

void Core::HandleSnapshot(const Message& m) {
  if (WantsSnapshot(m.snapshot)) {
    snapshot_ = m.snapshot;
    return;
  }
  if (m.snapshot.index > log_.commit()) log_.CommitTo(m.snapshot.index);
  ReplyAppended(m.from, log_.commit());
}

bool Core::WantsSnapshot(const SnapshotMeta& snapshot) const {
  return role_ != Role::kLeader && snapshot.index > log_.commit() &&
         !log_.Matches(snapshot.index, snapshot.term);
}

void Core::Restored(const SnapshotMeta& snapshot) {
  KDB_CHECK(role_ != Role::kLeader);
  log_.Restore(snapshot.index);
  KDB_CHECK(log_.last_term() == snapshot.term);
  tracker_.SetConf(snapshot.conf, log_.last() + 1);
  snapshot_.reset();
  if (role_ != Role::kFollower || snapshot.term > term_) {
    BecomeFollower(std::max(term_, snapshot.term), kNoNode);
  }
  if (leader_ != kNoNode) ReplyAppended(leader_, snapshot.index);
}

}  // namespace kdb::raft
