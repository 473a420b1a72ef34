// Drives one member of a Raft group: feeds the pure core, writes its log, sends its messages,
// applies what is committed.
//
// Roles are tasks on injected executors (threads in servers, one loop in simulation):
//   raft        the core and all of this class's state; a bounded mailbox
//   log         appends, syncs and cuts; all that arrived during one sync goes into the next
//   apply       the state machine
//   background  flushes, reads of old entries for slow followers, the log's next segment
// Durability: a proposal's result is given only after its entry was durable on a majority and
// applied here.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/base/clock.h"
#include "pkg/base/executor.h"
#include "pkg/base/payload.h"
#include "pkg/env/file_system.h"
#include "pkg/obs/metrics.h"
#include "pkg/raft/raft.h"
#include "pkg/raftnode/disk_watch.h"
#include "pkg/raftnode/group_room.h"
#include "pkg/raftnode/state_machine.h"
#include "pkg/raftnode/transport.h"
#include "pkg/wal/wal.h"

namespace kdb::raftnode {

struct Options {
  std::string wal_dir;  // in the data directory, which remembers that it was created (identity.h)
  wal::Options wal;
  std::chrono::milliseconds tick{50};
  int heartbeat_ticks = 1;
  int election_ticks = 10;
  size_t max_mailbox = 4096;          // proposals and reads waiting; beyond: RESOURCE_EXHAUSTED
  size_t log_cache_bytes = 32 << 20;  // newest entries kept in memory for sending
  size_t log_keep_bytes = 64 << 20;   // of applied and flushed entries, for slow followers
  size_t log_hold_bytes = size_t{4} << 30;  // at most, of what HoldLog asks for
  size_t flush_log_bytes = 32 << 20;        // log since the last flush of the state machine
  std::chrono::seconds flush_interval{120};
  std::chrono::milliseconds mark_after{10};     // of idleness: wal::Mark
  std::chrono::milliseconds fsync_stall{1000};  // a sync that takes longer gives up leadership
  DiskLimits disk;                              // of the disk that wal_dir is on
};

// Each runs one task at a time, as every Executor does: a role's state needs no lock, and a
// stopping node waits for one task of each.
struct Executors {
  Executor& raft;
  Executor& log;
  Executor& apply;
  Executor& background;
};

// Callbacks on the raft role; must not block.
class Observer {
 public:
  virtual ~Observer() = default;
  // On every change of role, term or known leader.
  virtual void OnLeadership(raft::Role role, raft::Term term, raft::NodeId leader) = 0;
  // The leader has cut entries that this member needs: a snapshot of at least this index has to be
  // fetched and installed, before a start (snapshot/install.h). Repeated; nullopt: not any more.
  virtual void OnSnapshotNeeded(std::optional<raft::Index> index) = 0;
  // A peer's wall clock, as it came with an answer (design 4: log time follows the median).
  virtual void OnPeerClock(raft::NodeId peer, int64_t wall_ms) = 0;
  // The newest hash of a peer's state, with every answer that carries one.
  virtual void OnPeerHash(raft::NodeId, const raft::StateHash&) {}
  // A change of members is committed: it is in force from now on. Not called for what the state
  // machine held at the start.
  virtual void OnMembership(const Membership& membership) = 0;
  // The disk fails in a way that the process must not survive (EIO, a failed sync, damage). Called
  // once.
  virtual void OnFatal(const absl::Status& status) = 0;
  // A disk stalls or is full, or the leader has cut the entries that this member needs: readiness
  // is false while set. Called again when `why` changes.
  virtual void OnDegraded(bool degraded, const std::string& why) = 0;
  // How full the disks are has changed. The node itself refuses proposals at kReserve alone: what
  // grows data, it cannot tell.
  virtual void OnDisk(const DiskStatus& disk) = 0;
};

// Runs on the apply role (OK) or the raft role (errors), never inside Propose; must not block.
// OK: the state machine's result. Errors, and what is known of the proposal:
// - FAILED_PRECONDITION: not leader; it will never be applied.
// - RESOURCE_EXHAUSTED: refused before the log (mailbox, uncommitted bytes, IsDiskFull); never
//   applied.
// - UNAVAILABLE: refused before the log (a transfer is under way, stopping); never applied.
// - ABORTED: leadership was lost after it was logged; unknown.
using ProposeDone = absl::AnyInvocable<void(absl::StatusOr<Payload>)>;
// Whether a refusal is that of a full disk, rather than of too much at once.
bool IsDiskFull(const absl::Status& status);
// OK: the state machine has applied all that was committed when the read began; runs on the apply
// or the raft role, errors on the raft role; must not block.
using ReadDone = absl::AnyInvocable<void(absl::Status)>;

class RaftNode {
 public:
  // Opens the log, checks it against the state machine (design 3: an applied entry is in the log,
  // or right before its start) and starts the roles. `birth`: the members of a group that has
  // applied nothing yet. DATA_LOSS: damage, or a log that
  // was there once and is gone; the message says what and what to do. Everything passed in outlives
  // the node.
  static absl::StatusOr<std::unique_ptr<RaftNode>> Start(const Options& options, raft::NodeId id,
                                                         const Membership& birth, FileSystem& fs,
                                                         Executors executors, StateMachine& machine,
                                                         Transport& transport, Observer& observer,
                                                         const Clock& clock, Random random,
                                                         obs::Registry& metrics);

  // Stops the roles after what is running; marks the log cleanly. Pending callbacks get UNAVAILABLE
  // (reads) or ABORTED (proposals) on the caller's thread. Not to be called from a callback of the
  // node.
  virtual ~RaftNode() = default;

  // All thread-safe; none blocks.
  virtual void Propose(Payload data, ProposeDone done) = 0;
  // A linearizable read point (thesis 6.4). Concurrent calls share one round. FAILED_PRECONDITION:
  // not leader.
  virtual void Read(ReadDone done) = 0;
  // As the leader of `term`, or not at all (FAILED_PRECONDITION): who knew the members in that term
  // judged by them.
  virtual void ProposeConfChange(raft::ConfChange change, raft::Term term, ProposeDone done) = 0;
  // OK when `target` leads; else FAILED_PRECONDITION (refused, as raft::Raft says),
  // DEADLINE_EXCEEDED or ABORTED (it ended otherwise). `done` runs on the raft role.
  virtual void TransferLeader(raft::NodeId target, absl::AnyInvocable<void(absl::Status)> done) = 0;
  virtual void Campaign() = 0;
  virtual void Deliver(std::vector<raft::Message> messages) = 0;  // from peers
  virtual void ReportUnreachable(raft::NodeId peer) = 0;
  // Entries behind `index` will be asked for, by one who fetches a snapshot: they are not cut, up
  // to log_hold_bytes, until the next call. 0: no more.
  virtual void HoldLog(raft::Index index) = 0;

  // Answers to the leader carry it from now on; index 0: none.
  virtual void TellStateHash(const raft::StateHash& hash) = 0;

  // A copy, at most one tick old.
  virtual raft::RaftStatus Status() const = 0;
};

}  // namespace kdb::raftnode
