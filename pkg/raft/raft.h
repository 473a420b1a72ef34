// The Raft consensus core (Ongaro: "Consensus: Bridging Theory and Practice", 2014; section numbers
// in this folder are the thesis's) as a pure, deterministic state machine: messages, ticks,
// proposals and "persisted" notices go in; entries to write, messages to send, committed entries
// and read states come out. No thread, clock, lock, file or logger; randomness is injected.
//
// The caller's loop:
//   1. feed inputs: Step, Tick, Propose, ReadIndex, TransferLeader, Persisted, Applied...
//   2. while HasReady(): take = TakeReady():
//      - send take.messages at once;
//      - hand take.entries and take.hard_state to the log. They are written in the order taken.
//        When all of it and of every earlier Ready is durable, send take.messages_after_persist
//        (those to the node itself do not exist), then call Persisted(take.seq). Later Readies may
//        be taken and written meanwhile; Persisted(n) covers all <= n. A Ready with nothing to
//        write counts too: it only waits its turn;
//      - apply take.committed in order, then call Applied(index of the last).
// A leader so replicates while its own append is being synced; its own vote counts only once
// Persisted. `committed` holds only entries that are durable in the local log.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/base/random.h"
#include "pkg/raft/types.h"

namespace kdb::raft {

class Core;
class NodeInvariants;

enum class Role : uint8_t { kFollower, kPreCandidate, kCandidate, kLeader };

// The part of the log that this node has handed out and may need again. Owned by the driver, which
// adds a Ready's entries to it before the next call into Raft (so it contains entries that are not
// yet durable).
class LogView {
 public:
  virtual ~LogView() = default;
  virtual Index FirstIndex() const = 0;  // of the first entry kept; last + 1 when none
  virtual Index LastIndex() const = 0;
  // Term of an entry in [FirstIndex - 1, LastIndex]; nullopt outside. FirstIndex - 1 is the
  // compaction point.
  virtual std::optional<Term> TermAt(Index i) const = 0;
  // Entries of [lo, hi), at least one and then at most max_bytes by EntryBytes. UNAVAILABLE: being
  // read from disk; the driver calls EntriesReady when a retry makes sense.
  virtual absl::StatusOr<std::vector<Entry>> Entries(Index lo, Index hi,
                                                     size_t max_bytes) const = 0;
};

struct Config {
  NodeId id = kNoNode;
  // In ticks. A follower campaigns after [election_ticks, 2 * election_ticks) without a leader.
  int election_ticks = 10;
  int heartbeat_ticks = 1;
  size_t max_append_bytes = 1 << 20;   // of entries in one kAppend, or one entry
  size_t max_inflight_messages = 256;  // kAppend per follower not yet answered
  size_t max_inflight_bytes = 8 << 20;
  size_t max_uncommitted_bytes = 64 << 20;  // of proposals; beyond, Propose is RESOURCE_EXHAUSTED
  Index max_transfer_lag = 1024;            // entries that a transfer's target may lack
  size_t max_applying_bytes = 64 << 20;     // handed out as committed and not yet Applied
};

// What the log and the state machine hold at start.
struct Initial {
  HardState hard_state;
  ConfState conf;  // as of `applied`
  Index applied = 0;
};

struct ReadState {
  uint64_t context = 0;  // as given to ReadIndex
  Index index = 0;       // the read is linearizable once this is applied
};

struct Ready {
  uint64_t seq = 0;
  std::optional<HardState> hard_state;  // to be made durable when it changed
  bool must_sync = false;      // entries, term or vote changed; a commit alone need not be synced
  std::vector<Entry> entries;  // to append; entries[0].index supersedes all >= it
  std::vector<Message> messages;
  std::vector<Message> messages_after_persist;
  std::vector<Entry> committed;
  std::vector<ReadState> read_states;  // this node's own reads
  // Contexts whose leadership ended or whose request was lost: ask again.
  std::vector<uint64_t> failed_reads;
  // A leader says: fetch a snapshot that covers at least this. Repeated until the log reaches it.
  std::optional<SnapshotMeta> snapshot;
};

enum class ProgressState : uint8_t { kProbe, kReplicate, kSnapshot };  // etcd raft's terms

struct ProgressStatus {
  NodeId id = kNoNode;
  Index match = 0;
  Index next = 0;
  ProgressState state = ProgressState::kProbe;
  bool recent_active = false;  // heard of within the last election timeout, or the one before
  bool learner = false;
  size_t inflight_messages = 0;
  // Its durable index fell below what it acknowledged: not counted (design 3).
  bool suspect = false;
  bool may_lead = false;  // it leads, or a transfer to it would not be refused
};

struct RaftStatus {
  NodeId id = kNoNode;
  Role role = Role::kFollower;
  NodeId leader = kNoNode;
  Term term = 0;
  NodeId vote = kNoNode;
  Index commit = 0;
  Index applied = 0;
  Index last_index = 0;
  Index persisted = 0;
  NodeId transferee = kNoNode;
  ConfState conf;
  std::vector<ProgressStatus> progress;  // leaders only, by id
};

// Not thread-safe: one thread drives a group.
class Raft {
 public:
  // `log` outlives the object. CHECKs that `initial` agrees with it: bad data was refused by the
  // caller.
  Raft(const Config& config, const Initial& initial, LogView& log, Random random);
  ~Raft();

  void Tick();
  // Any message from a peer, in any order, any number of times. Messages from unknown senders are
  // tolerated.
  void Step(Message m);

  // Appends entries to the log of the leader. The index of the first; the entry at that index may
  // still be overwritten: match by (index, term). FAILED_PRECONDITION: not leader. UNAVAILABLE: a
  // transfer is under way. RESOURCE_EXHAUSTED: max_uncommitted_bytes. Nothing was appended on
  // error.
  absl::StatusOr<Index> Propose(std::vector<Payload> data);
  // FAILED_PRECONDITION: not leader, a change is under way (uncommitted or unapplied), or the
  // change makes no sense in the present configuration (the message says what). More than one step:
  // the leader itself leaves the joint configuration once that is applied.
  absl::StatusOr<Index> ProposeConfChange(const ConfChange& change);
  // To be called when a kConfChange entry is applied, in log order, before Applied covers it.
  // Returns the new configuration: the present one when the change makes no sense in it, as in an
  // empty configuration (a passive node's, which only Initial and Restored fill).
  ConfState ApplyConfChange(const ConfChange& change);

  // Starts a linearizable read (6.4): a ReadState or a failed_reads with this context follows.
  // Contexts increase. Followers forward to their leader. FAILED_PRECONDITION: no leader is known.
  absl::Status ReadIndex(uint64_t context);

  // Hands leadership to `target` (3.10). FAILED_PRECONDITION with the reason: not leader, already
  // under way, or the target could not take over at once: not a voter, not heard of, lagging, on a
  // disk that stalls or lost data. It is given up after an election timeout; Status().transferee
  // tells.
  absl::Status TransferLeader(NodeId target);
  // Campaigns at once, with PreVote. No-op for learners, leaders and non-members.
  void Campaign();
  // A driver whose disk stalls: a leader steps down; no campaign while `stalled` (design 3).
  void SetStalled(bool stalled);

  bool HasReady() const;
  Ready TakeReady();
  void Persisted(uint64_t seq);
  void Applied(Index index);
  // Entries that were UNAVAILABLE may be there now: sends go on.
  void EntriesReady();
  // The peer's transport failed, or a snapshot to it ended.
  void ReportUnreachable(NodeId peer);
  void ReportSnapshot(NodeId peer, Index index, bool ok);
  // To be asked immediately before the log is reset to a fetched snapshot; nothing is stepped
  // between that and Restored. False: the log holds the snapshot's last entry (5.3), and what is
  // behind it may have been acknowledged: throw the snapshot away.
  bool WantsSnapshot(const SnapshotMeta& snapshot) const;
  // The log and state machine were replaced by a snapshot (driver's work, design 3): continue
  // behind it. The reset made the newest hard state that was taken durable, too; messages that
  // waited for earlier writes are dropped.
  void Restored(const SnapshotMeta& snapshot);

  // An entry that this node acknowledged in its term, and that its log ends below: the disk has
  // lost what it said was durable, and nothing on it is to be trusted. For good; 0: none is known.
  Index lost() const;
  RaftStatus Status() const;
  NodeId leader() const;
  Role role() const;
  Term term() const;

 private:
  void Verify();  // in debug builds, after every step

  std::unique_ptr<Core> core_;
  std::unique_ptr<NodeInvariants> invariants_;  // debug builds
};

}  // namespace kdb::raft
