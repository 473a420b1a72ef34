// The apply role: committed entries into the state machine, results to those who proposed them,
// reads when their point is reached.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <vector>

#include "pkg/base/mutex.h"
#include "pkg/raftnode/gated_executor.h"
#include "pkg/raftnode/node_metrics.h"
#include "pkg/raftnode/proposals.h"
#include "pkg/raftnode/read_queue.h"
#include "pkg/raftnode/role_events.h"
#include "pkg/raftnode/state_machine.h"

namespace kdb::raftnode {

class Applier {
 public:
  static constexpr size_t kMaxApplyBytes = 1 << 20;  // of one call of the state machine
  // Entries that nobody here waits for, on followers, are applied many at a time: a wake-up costs
  // more than an entry.
  static constexpr std::chrono::milliseconds kIdleDelay{2};
  static constexpr size_t kIdleBytes = 256 << 10;  // beyond, at once
  static constexpr std::chrono::milliseconds kRetryAfter{100};
  static constexpr std::chrono::milliseconds kMaxRetryAfter{2000};

  // All outlive the object.
  Applier(StateMachine& machine, GatedExecutor& role, RoleEvents& events, const Clock& clock,
          const NodeMetrics& metrics);

  // Raft role. `entries` continue those of the last call; `waiters` are some of theirs, in order.
  void Submit(std::vector<CommittedEntry> entries, std::vector<Waiter> waiters);
  // Raft role. Read points never go down. Reads whose point is applied already run at once, on the
  // caller: a hop less.
  void SubmitReads(ReadBatch batch);
  // Of entries submitted and not yet applied. Thread-safe.
  size_t queued_bytes() const;
  // The last entry whose effects are visible. Thread-safe.
  raft::Index applied() const { return applied_; }

  // With the role closed: waiters get ABORTED, reads UNAVAILABLE.
  void FailAll();

 private:
  // False, and untouched, when its point is applied already.
  bool QueueReads(ReadBatch& batch);

  // Apply role.
  void Run();
  void TakeBatch();
  void ApplyBatch();
  absl::Status Execute();
  void Answer(std::vector<Payload> results);
  void Retry(const absl::Status& why);
  void Finish();
  void RunReads();

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

  // Apply role.
  std::vector<CommittedEntry> batch_;  // being applied; kept for the retry when the disk is full
  std::vector<Waiter> batch_waiters_;
  size_t batch_bytes_ = 0;
  std::atomic<raft::Index> applied_;  // set on the apply role, after the state machine shows it
  std::chrono::milliseconds retry_after_{0};  // 0: not retrying
  bool failed_ = false;
};

}  // namespace kdb::raftnode
