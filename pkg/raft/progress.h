// What a leader knows of one member's log, and what it may send to it.
#pragma once

#include "pkg/raft/raft.h"
#include "pkg/raft/window.h"

namespace kdb::raft {

// States: kProbe looks for the match, one append per round trip; kReplicate pipelines appends up to
// the window; kSnapshot waits until a snapshot has arrived out of band. Not thread-safe.
class Progress {
 public:
  Progress(NodeId id, Index next, const Config& config);

  NodeId id() const { return id_; }
  Index match() const { return match_; }
  Index next() const { return next_; }
  ProgressState state() const { return state_; }
  bool suspect() const { return suspect_; }
  uint64_t read_round() const { return read_round_; }
  // In this period of CheckQuorum, or the one before.
  bool heard_lately() const { return recent_active || active_before; }
  // Entries up to here, in the leader's order, are counted for commitment.
  Index counted() const { return suspect_ ? 0 : match_; }
  // The newest read round it confirmed; a member that lost data may have forgotten a vote as well.
  uint64_t counted_round() const { return suspect_ ? 0 : read_round_; }

  bool recent_active = false;  // heard of since the last CheckQuorum
  bool active_before = false;  // and in the period before it
  bool learner = false;
  bool stalled = false;      // its disk is, it says
  bool unreachable = false;  // its transport failed, and it was not heard of since

  // An append is due: entries or a probe. A commit index alone is none: it goes with the next
  // append or heartbeat. Sent at once it would cost every lone write two messages and a wake-up of
  // two threads per follower, which only apply it sooner.
  bool WantsAppend(Index last) const;
  // The append may carry entries.
  bool MaySendEntries(Index last) const;
  void SentAppend(size_t entries, size_t bytes);
  // Entries to send are being read from disk: nothing is sent until Unblock.
  void Block() { blocked_ = true; }
  void Unblock() { blocked_ = false; }

  // The member has everything up to `index`. `first` is the leader's first index: a member that
  // waits for a snapshot goes on when the log reaches it. True: the match advanced.
  bool Acked(Index index, Index first);
  // It refused the append behind `rejected`; `hint` is where the logs may agree. False: a stale
  // message.
  bool Rejected(Index rejected, Index hint);
  void NoteHeard();
  void HeartbeatAcked(uint64_t read_round);
  // Its durable index is below what it acknowledged in this term (design 3).
  void Suspect(Index durable);
  void Unreachable();

  void BecomeProbe(Index next);
  void BecomeSnapshot(Index next);
  // The leader itself: its match is what is durable.
  void SetSelf(Index persisted, Index last);

  ProgressStatus Status() const;

 private:
  void Enter(ProgressState state);
  void BecomeReplicate();
  bool WindowFull() const;

  NodeId id_;
  size_t max_messages_;
  size_t max_bytes_;
  Index match_ = 0;
  Index next_;
  ProgressState state_ = ProgressState::kProbe;
  // kProbe: a probe is unanswered. kReplicate: something may be lost, an append without entries
  // finds out.
  bool paused_ = false;
  bool poke_ = false;
  bool blocked_ = false;
  bool suspect_ = false;
  uint64_t read_round_ = 0;
  Window window_;
};

}  // namespace kdb::raft
