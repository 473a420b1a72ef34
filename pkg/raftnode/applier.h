// The apply role: committed entries into the state machine, results to those who proposed them,
// reads when their point is reached.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <vector>

#include "pkg/base/gated_executor.h"
#include "pkg/base/mutex.h"
#include "pkg/raftnode/node_metrics.h"
#include "pkg/raftnode/proposals.h"
#include "pkg/raftnode/read_queue.h"
#include "pkg/raftnode/role_events.h"
#include "pkg/raftnode/state_machine.h"

namespace kdb::raftnode {

class Applier {
 public:
  static constexpr size_t kMaxApplyBytes = 1 << 20;  // of one call of the state machine
  // A few entries, and nobody at work: they are executed by whoever submits them, sooner than the
  // apply role would wake up.
  static constexpr size_t kMaxBytesHere = 2 << 10;
  // What nobody waits for is done later, or when there is enough of it: executing the entries of a
  // follower, and making visible what was executed. Commit is kept short, for entries wait behind
  // it.
  static constexpr std::chrono::milliseconds kLater{2};
  static constexpr size_t kEnoughToExecute = 256 << 10;  // bytes
  static constexpr size_t kEnoughToCommit = 16 << 10;
  // So many entries after a read, too, Commit follows at once: the next read shall not wait for it.
  static constexpr int kReadsLinger = 64;
  static constexpr std::chrono::milliseconds kRetryAfter{100};
  static constexpr std::chrono::milliseconds kMaxRetryAfter{2000};

  // All outlive the object.
  Applier(StateMachine& machine, GatedExecutor& role, RoleEvents& events, const Clock& clock,
          const NodeMetrics& metrics);

  // Raft role. `entries` continue those of the last call; `waiters` are some of theirs, in order.
  void Submit(std::vector<CommittedEntry> entries, std::vector<Waiter> waiters);
  // Raft role. Reads will be submitted soon: what was executed is made visible meanwhile.
  void ExpectReads();
  // Raft role. Read points never go down. Reads whose point is applied already run at once, on the
  // caller: a hop less.
  void SubmitReads(ReadBatch batch);
  // Of entries submitted and not yet visible. Thread-safe.
  size_t queued_bytes() const;
  // The last entry whose effects are visible. Thread-safe.
  raft::Index applied() const { return applied_; }

  // With the role closed: waiters get ABORTED, reads UNAVAILABLE.
  void FailAll();

 private:
  // False, and untouched, when its point is applied already.
  bool QueueReads(ReadBatch& batch);
  void RunHere();

  // Apply role.
  void Run();
  void RunReads();
  void TryAgain();
  bool CommitIsDue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(work_mu_);
  void Commit() ABSL_EXCLUSIVE_LOCKS_REQUIRED(work_mu_);

  // Apply role, or raft role.
  void ExecuteQueued() ABSL_EXCLUSIVE_LOCKS_REQUIRED(work_mu_);
  void TakeQueued() ABSL_EXCLUSIVE_LOCKS_REQUIRED(work_mu_);
  void Execute() ABSL_EXCLUSIVE_LOCKS_REQUIRED(work_mu_);
  void Answer(std::vector<Payload> results) ABSL_EXCLUSIVE_LOCKS_REQUIRED(work_mu_);
  void Finish() ABSL_EXCLUSIVE_LOCKS_REQUIRED(work_mu_);
  void NotDone(const absl::Status& why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(work_mu_);
  void ScheduleRest() ABSL_EXCLUSIVE_LOCKS_REQUIRED(work_mu_);

  void ScheduleLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ScheduleLaterLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  StateMachine& machine_;
  GatedExecutor& role_;
  RoleEvents& events_;
  const Clock& clock_;
  const NodeMetrics& metrics_;

  mutable Mutex mu_;
  std::deque<CommittedEntry> queue_ ABSL_GUARDED_BY(mu_);
  std::deque<Waiter> waiters_ ABSL_GUARDED_BY(mu_);
  std::deque<ReadBatch> reads_ ABSL_GUARDED_BY(mu_);
  size_t queued_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  bool scheduled_ ABSL_GUARDED_BY(mu_) = false;
  bool scheduled_later_ ABSL_GUARDED_BY(mu_) = false;
  bool commit_wanted_ ABSL_GUARDED_BY(mu_) = false;
  int writes_since_read_ ABSL_GUARDED_BY(mu_) = kReadsLinger;

  // Held by whoever calls the state machine; taken before mu_. The raft role does not wait for it.
  Mutex work_mu_;
  // Not visible yet; kept for another try when the disk is full.
  std::vector<CommittedEntry> batch_ ABSL_GUARDED_BY(work_mu_);
  size_t batch_bytes_ ABSL_GUARDED_BY(work_mu_) = 0;
  size_t executed_ ABSL_GUARDED_BY(work_mu_) = 0;  // of them
  // The last of them wants to be visible before the next is executed.
  bool commit_follows_ ABSL_GUARDED_BY(work_mu_) = false;
  std::vector<Waiter> batch_waiters_ ABSL_GUARDED_BY(work_mu_);
  // 0: not trying again.
  std::chrono::milliseconds retry_after_ ABSL_GUARDED_BY(work_mu_){0};
  bool failed_ ABSL_GUARDED_BY(work_mu_) = false;

  std::atomic<raft::Index> applied_;  // set after the state machine shows it
};

}  // namespace kdb::raftnode
