#include "pkg/raft/core.h"

#include <utility>

#include "pkg/base/check.h"

namespace kdb::raft {

Core::Core(const Config& config, const Initial& initial, LogView& log, Random random)
    : config_(config),
      random_(random),
      term_(initial.hard_state.term),
      vote_(initial.hard_state.vote),
      log_(log, initial.applied, initial.hard_state.commit, config_),
      tracker_(config_, initial.conf),
      forwarded_(random_),
      taken_(initial.hard_state) {
  KDB_CHECK(config.id != kNoNode && config.election_ticks > config.heartbeat_ticks &&
            config.heartbeat_ticks > 0);
  KDB_CHECK(log_.last_term() <= term_, "the log ends in term {}, the hard state says {}",
            log_.last_term(), term_);
  ResetElectionTimer();
}

void Core::ResetElectionTimer() {
  elapsed_ = 0;
  auto ticks = static_cast<uint64_t>(config_.election_ticks);
  timeout_ = static_cast<int>(ticks + random_.Uniform(ticks));
}

void Core::Tick() {
  ++now_;
  FailForwardedReads(forwarded_.Expire(now_));
  if (role_ == Role::kLeader) {
    TickLeader();
  } else {
    TickFollower();
  }
}

void Core::TickFollower() {
  if (++elapsed_ < timeout_) return;
  // Whoever led is gone, also for those who do not campaign.
  if (leader_ != kNoNode) {
    leader_ = kNoNode;
    FailForwardedReads(forwarded_.TakeAll());
  }
  ResetElectionTimer();
  StartPreVote();
}

void Core::TickLeader() {
  if (++elapsed_ >= config_.election_ticks) {
    elapsed_ = 0;
    if (!tracker_.TakeQuorumActive(config_.id)) {  // 6.2
      BecomeFollower(term_, kNoNode);
      return;
    }
    settled_ = true;
    RepeatSnapshots();
  }
  TickTransfer();
  MaybeAutoLeave();
  if (++heartbeat_elapsed_ < config_.heartbeat_ticks) return;
  heartbeat_elapsed_ = 0;
  if (CommittedInTerm() && reads_.has_waiting()) reads_.StartRound(log_.commit());
  SendHeartbeats(true);
  ConfirmReads();
}

Message Core::To(NodeId to, MessageType type) const {
  Message m;
  m.type = type;
  m.from = config_.id;
  m.to = to;
  m.term = term_;
  return m;
}

void Core::BecomeFollower(Term term, NodeId leader) {
  if (role_ == Role::kLeader) FailReads();
  if (leader_ != leader) FailForwardedReads(forwarded_.TakeAll());
  if (term_ != term) {
    term_ = term;
    vote_ = kNoNode;
  }
  role_ = Role::kFollower;
  leader_ = leader;
  transferee_ = kNoNode;
  tracker_.ResetVotes();
  ResetElectionTimer();
}

void Core::Step(Message m) {
  if (m.to != config_.id || m.from == config_.id || m.from == kNoNode) return;
  if (AdmitTerm(m)) Dispatch(std::move(m));
}

// Whether the message is to be handled, in the term that this node has then (3.3).
bool Core::AdmitTerm(const Message& m) {
  if (m.term < term_) {
    AnswerStale(m);
    return false;
  }
  if (m.term == term_) return true;
  bool vote_request = m.type == MessageType::kVote || m.type == MessageType::kPreVote;
  // A server that hears of a leader ignores candidates, else a removed or partitioned server
  // disrupts (4.2.3).
  if (vote_request && !m.force && InLease()) return false;
  // Pre-votes speak of a term that nobody is in yet (9.6).
  if (m.type == MessageType::kPreVote) return true;
  if (m.type == MessageType::kPreVoteReply && !m.reject) return true;
  BecomeFollower(m.term, kNoNode);
  return true;
}

// The sender learns of the newer term: a deposed leader steps down, and a node that got ahead in
// term while it was cut off does not stay stuck when its peers ignore its candidacy.
void Core::AnswerStale(const Message& m) {
  switch (m.type) {
    case MessageType::kAppend:
    case MessageType::kHeartbeat:
    case MessageType::kSnapshot: {
      Message reply = To(m.from, MessageType::kAppendReply);
      reply.reject = true;
      outbox_.Send(std::move(reply));
      return;
    }
    case MessageType::kVote:
    case MessageType::kPreVote: {
      Message reply = To(m.from, m.type == MessageType::kVote ? MessageType::kVoteReply
                                                              : MessageType::kPreVoteReply);
      reply.reject = true;
      outbox_.Send(std::move(reply));
      return;
    }
    default:
      return;
  }
}

void Core::Dispatch(Message m) {
  switch (m.type) {
    case MessageType::kPreVote:
    case MessageType::kVote:
      return HandleVoteRequest(m);
    case MessageType::kPreVoteReply:
    case MessageType::kVoteReply:
      return HandleVoteReply(m);
    case MessageType::kAppend:
      return FollowSender(m) ? HandleAppend(std::move(m)) : void();
    case MessageType::kHeartbeat:
      return FollowSender(m) ? HandleHeartbeat(m) : void();
    case MessageType::kSnapshot:
      return FollowSender(m) ? HandleSnapshot(m) : void();
    case MessageType::kTransferTo:
      return HandleTransferTo(m);
    case MessageType::kReadIndex:
      return HandleReadIndex(m);
    case MessageType::kReadIndexReply:
      return HandleReadIndexReply(m);
    case MessageType::kAppendReply:
    case MessageType::kHeartbeatReply:
      break;
  }
  Progress* from = tracker_.Find(m.from);
  if (role_ != Role::kLeader || from == nullptr) return;
  if (m.type == MessageType::kAppendReply) {
    HandleAppendReply(m, *from);
  } else {
    HandleHeartbeatReply(m, *from);
  }
}

RaftStatus Core::Status() const {
  RaftStatus s;
  s.id = config_.id;
  s.role = role_;
  s.leader = leader_;
  s.term = term_;
  s.vote = vote_;
  s.commit = log_.commit();
  s.applied = log_.applied();
  s.last_index = log_.last();
  s.persisted = log_.persisted();
  s.transferee = transferee_;
  s.conf = tracker_.conf();
  if (role_ == Role::kLeader) {
    for (const Progress& p : tracker_.members()) {
      s.progress.push_back(p.Status());
      s.progress.back().may_lead = p.id() == config_.id || TransferRefusal(p).empty();
    }
  }
  return s;
}

}  // namespace kdb::raft
