// Elections (3.4, 3.6.1), with PreVote (9.6), stickiness (4.2.3) and forced ones by transfer
// (3.10).
#include "pkg/raft/conf_change.h"
#include "pkg/raft/core.h"

namespace kdb::raft {

// A configuration change that is committed and not applied could make this node count the wrong
// quorum.
bool Core::CanCampaign() const {
  return role_ != Role::kLeader && !stalled_ && IsVoter(tracker_.conf(), config_.id) &&
         !log_.MayHaveConfChange(log_.commit());
}

// CheckQuorum bounds a leader's own lease.
bool Core::InLease() const {
  return role_ == Role::kLeader || (leader_ != kNoNode && elapsed_ < config_.election_ticks);
}

void Core::Campaign() { StartPreVote(); }

void Core::SetStalled(bool stalled) {
  stalled_ = stalled;
  if (stalled_ && role_ != Role::kFollower) BecomeFollower(term_, kNoNode);
}

// Neither term nor vote change: a node that cannot win disturbs nobody.
void Core::StartPreVote() {
  if (!CanCampaign()) return;
  BecomeFollower(term_, kNoNode);
  role_ = Role::kPreCandidate;
  tracker_.RecordVote(config_.id, true);
  RequestVotes(MessageType::kPreVote, term_ + 1, false);
  Decide();
}

// The node's own vote counts once it is durable: CountSelfVote.
void Core::StartElection(bool force) {
  BecomeFollower(term_ + 1, kNoNode);
  role_ = Role::kCandidate;
  vote_ = config_.id;
  RequestVotes(MessageType::kVote, term_, force);
}

void Core::RequestVotes(MessageType type, Term term, bool force) {
  for (NodeId id : Members(tracker_.conf())) {
    if (id == config_.id || !IsVoter(tracker_.conf(), id)) continue;
    Message m = To(id, type);
    m.term = term;
    m.index = log_.last();
    m.log_term = log_.last_term();
    m.force = force;
    outbox_.Send(std::move(m));
  }
}

void Core::CountSelfVote() {
  tracker_.RecordVote(config_.id, true);
  Decide();
}

void Core::Decide() {
  switch (tracker_.Tally()) {
    case VoteResult::kPending:
      return;
    case VoteResult::kLost:
      return BecomeFollower(term_, kNoNode);
    case VoteResult::kWon:
      return role_ == Role::kPreCandidate ? StartElection(false) : BecomeLeader();
  }
}

// Learners vote, too: a candidate may know of their promotion before they do. A node that never had
// a configuration does not (design 3): it may stand in for a member that voted before it lost its
// directory.
void Core::HandleVoteRequest(const Message& m) {
  if (tracker_.conf().voters.empty()) return;
  bool pre = m.type == MessageType::kPreVote;
  bool free = vote_ == m.from || (vote_ == kNoNode && leader_ == kNoNode);
  bool grant = (pre ? m.term > term_ : free) && log_.IsUpToDate(m.index, m.log_term);
  Message reply = To(m.from, pre ? MessageType::kPreVoteReply : MessageType::kVoteReply);
  reply.reject = !grant;
  if (grant && pre) reply.term = m.term;
  if (grant && !pre) {
    vote_ = m.from;
    elapsed_ = 0;
  }
  outbox_.Send(std::move(reply));
}

void Core::HandleVoteReply(const Message& m) {
  bool pre = m.type == MessageType::kPreVoteReply;
  if (role_ != (pre ? Role::kPreCandidate : Role::kCandidate)) return;
  // A grant for another pre-election than this one.
  if (pre && !m.reject && m.term != term_ + 1) return;
  tracker_.RecordVote(m.from, !m.reject);
  Decide();
}

// The leader has stopped and says that this node has everything: no PreVote, and no stickiness at
// the voters.
void Core::HandleTransferTo(const Message& m) {
  if (leader_ != kNoNode && leader_ != m.from) return;
  if (CanCampaign()) StartElection(true);
}

}  // namespace kdb::raft
