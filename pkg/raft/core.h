// The protocol itself behind Raft (raft.h has the contract of each public method): roles, terms and
// what each message does. State with rules of its own lives in the collaborators below; each topic
// has its file: core.cc (terms, roles, ticks), election.cc, leader.cc, follower.cc, reads.cc,
// membership.cc, ready.cc.
#pragma once

#include "pkg/raft/log.h"
#include "pkg/raft/outbox.h"
#include "pkg/raft/raft.h"
#include "pkg/raft/read_index.h"
#include "pkg/raft/tracker.h"

namespace kdb::raft {

class Core {
 public:
  Core(const Config& config, const Initial& initial, LogView& log, Random random);

  // core.cc
  void Tick();
  void Step(Message m);
  RaftStatus Status() const;
  NodeId leader() const { return leader_; }
  Role role() const { return role_; }
  Term term() const { return term_; }
  Index lost() const { return lost_; }

  // election.cc
  void Campaign();
  void SetStalled(bool stalled);

  // leader.cc
  absl::StatusOr<Index> Propose(std::vector<Payload> data);
  void EntriesReady();
  void ReportUnreachable(NodeId peer);
  void ReportSnapshot(NodeId peer, Index index, bool ok);

  // transfer.cc
  absl::Status TransferLeader(NodeId target);

  // follower.cc
  bool WantsSnapshot(const SnapshotMeta& snapshot) const;
  void Restored(const SnapshotMeta& snapshot);

  // reads.cc
  absl::Status ReadIndex(uint64_t context);

  // membership.cc
  absl::StatusOr<Index> ProposeConfChange(const ConfChange& change);
  ConfState ApplyConfChange(const ConfChange& change);

  // ready.cc
  bool HasReady() const;
  Ready TakeReady();
  void Persisted(uint64_t seq);
  void Applied(Index index);

 private:
  // core.cc
  bool AdmitTerm(const Message& m);
  void AnswerStale(const Message& m);
  void Dispatch(Message m);
  void BecomeFollower(Term term, NodeId leader);
  void ResetElectionTimer();
  void TickFollower();
  void TickLeader();
  Message To(NodeId to, MessageType type) const;

  // election.cc
  bool CanCampaign() const;
  bool InLease() const;
  void StartPreVote();
  void StartElection(bool force);
  void RequestVotes(MessageType type, Term term, bool force);
  void CountSelfVote();
  void Decide();
  void HandleVoteRequest(const Message& m);
  void HandleVoteReply(const Message& m);
  void HandleTransferTo(const Message& m);

  // leader.cc
  void BecomeLeader();
  void AppendOwn(EntryType type, Payload data);
  bool CommittedInTerm() const { return log_.commit() >= term_start_; }
  void MaybeCommit();
  bool WantsAppends() const;
  void SendAppends();
  void SendAppend(Progress& to);
  void SendSnapshot(Progress& to);
  void RepeatSnapshots();
  void SendHeartbeats(bool learners_too);
  void HandleAppendReply(const Message& m, Progress& from);
  void HandleHeartbeatReply(const Message& m, Progress& from);

  // transfer.cc
  // Why leadership must not be handed to the member now; empty: it may.
  std::string TransferRefusal(const Progress& to) const;
  void MaybeFinishTransfer(const Progress& from);
  void TickTransfer();

  // follower.cc
  bool FollowSender(const Message& m);
  void HandleAppend(Message m);
  void HandleHeartbeat(const Message& m);
  void HandleSnapshot(const Message& m);
  void ReplyAppended(NodeId to, Index index);
  void ReplyMismatch(const Message& m);

  // reads.cc
  bool WantsReadRound() const;
  void SendReads();
  void ConfirmReads();
  void FailReads();
  void FailForwardedReads(std::vector<uint64_t> contexts);
  void HandleReadIndex(const Message& m);
  void HandleReadIndexReply(const Message& m);

  // membership.cc
  void Reconfigure(ConfState conf);
  void MaybeAutoLeave();

  // ready.cc
  HardState hard_state() const { return {term_, vote_, log_.commit()}; }

  const Config config_;
  Random random_;

  Term term_;
  NodeId vote_;
  Role role_ = Role::kFollower;
  NodeId leader_ = kNoNode;
  bool stalled_ = false;
  Index lost_ = 0;

  // In ticks. elapsed_: since the last word of a leader, or a leader's since its last CheckQuorum.
  uint64_t now_ = 0;
  int elapsed_ = 0;
  int timeout_ = 0;  // random in [election_ticks, 2 * election_ticks)
  int heartbeat_elapsed_ = 0;

  RaftLog log_;
  Tracker tracker_;
  Outbox outbox_;
  ForwardedReads forwarded_;

  // A leader's.
  Index term_start_ = 0;  // of its no-op
  Window uncommitted_;
  ReadRounds reads_;
  bool settled_ = false;  // it has led for an election timeout
  NodeId transferee_ = kNoNode;
  int transfer_elapsed_ = 0;

  // Of the next Ready.
  uint64_t seq_ = 0;       // of the last one taken
  uint64_t vote_seq_ = 0;  // of the last one that changed term or vote
  HardState taken_;        // hard state as of the last one
  std::vector<ReadState> read_states_;
  std::vector<uint64_t> failed_reads_;
  std::optional<SnapshotMeta> snapshot_;
};

}  // namespace kdb::raft
