#include "pkg/raftnode/applier.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "pkg/base/check.h"
#include "pkg/base/status.h"

namespace kdb::raftnode {

Applier::Applier(StateMachine& machine, GatedExecutor& role, RoleEvents& events, const Clock& clock,
                 const NodeMetrics& metrics)
    : machine_(machine),
      role_(role),
      events_(events),
      clock_(clock),
      metrics_(metrics),
      applied_(machine.applied().index) {}

void Applier::Submit(std::vector<CommittedEntry> entries, std::vector<Waiter> waiters) {
  if (entries.empty()) return;
  MutexLock lock(mu_);
  for (CommittedEntry& e : entries) {
    queued_bytes_ += raft::EntryBytes(e.entry);
    queue_.push_back(std::move(e));
  }
  std::move(waiters.begin(), waiters.end(), std::back_inserter(waiters_));
  bool wanted = !waiters_.empty() || !reads_.empty() || queued_bytes_ > kIdleBytes;
  wanted ? ScheduleLocked() : ScheduleLaterLocked();
}

void Applier::SubmitReads(ReadBatch batch) {
  if (QueueReads(batch)) return;
  for (PendingRead& read : batch.reads) read.done(absl::OkStatus());
}

bool Applier::QueueReads(ReadBatch& batch) {
  MutexLock lock(mu_);
  if (reads_.empty() && batch.index <= applied_) return false;
  // A read point is a commit index, which a new leader may learn late: keep the order of the queue.
  if (!reads_.empty()) batch.index = std::max(batch.index, reads_.back().index);
  reads_.push_back(std::move(batch));
  ScheduleLocked();
  return true;
}

size_t Applier::queued_bytes() const {
  MutexLock lock(mu_);
  return queued_bytes_;
}

void Applier::ScheduleLocked() {
  if (std::exchange(scheduled_, true)) return;
  role_.Post([this] { Run(); });
}

void Applier::ScheduleLaterLocked() {
  if (scheduled_ || std::exchange(scheduled_later_, true)) return;
  role_.PostAfter(kIdleDelay, [this] {
    MutexLock lock(mu_);
    scheduled_later_ = false;
    ScheduleLocked();
  });
}

void Applier::Run() {
  {
    // First: what is submitted from here on posts a Run of its own.
    MutexLock lock(mu_);
    scheduled_ = false;
  }
  if (failed_) return;
  if (retry_after_.count() == 0) {
    TakeBatch();
    if (!batch_.empty()) ApplyBatch();
  }
  RunReads();
  if (retry_after_.count() != 0 || failed_) return;
  MutexLock lock(mu_);
  if (!queue_.empty()) ScheduleLocked();
}

void Applier::TakeBatch() {
  MutexLock lock(mu_);
  batch_bytes_ = 0;
  while (!queue_.empty() && batch_bytes_ < kMaxApplyBytes) {
    batch_bytes_ += raft::EntryBytes(queue_.front().entry);
    batch_.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  if (batch_.empty()) return;
  while (!waiters_.empty() && waiters_.front().index <= batch_.back().entry.index) {
    batch_waiters_.push_back(std::move(waiters_.front()));
    waiters_.pop_front();
  }
}

void Applier::ApplyBatch() {
  KDB_CHECK(batch_.front().entry.index == applied_ + 1, "entry {} after {}",
            batch_.front().entry.index, applied_.load());
  Clock::Duration begin = clock_.Monotonic();
  absl::Status status = Execute();
  if (status.ok()) status = machine_.Commit();
  if (absl::IsResourceExhausted(status)) return Retry(status);
  if (!status.ok()) {
    failed_ = true;
    events_.OnFailed(absl::Status(
        status.code(), fmt::format("applying entries {} to {}: {}", batch_.front().entry.index,
                                   batch_.back().entry.index, std::string(status.message()))));
    return;
  }
  if (std::exchange(retry_after_, std::chrono::milliseconds(0)).count() != 0)
    events_.OnTrouble(Trouble::kApplyDiskFull, "");
  metrics_.apply_seconds.Observe(Seconds(clock_.Monotonic() - begin));
  metrics_.apply_entries.Observe(static_cast<double>(batch_.size()));
  Finish();
}

absl::Status Applier::Execute() {
  std::vector<Payload> results;
  KDB_RETURN_IF_ERROR(machine_.Apply(batch_, &results));
  KDB_CHECK(results.size() == batch_.size(), "{} results of {} entries", results.size(),
            batch_.size());
  Answer(std::move(results));
  return absl::OkStatus();
}

// The entries are committed, so their results will not change: nobody has to wait for Commit, and
// what a full disk makes apply again has no waiters.
void Applier::Answer(std::vector<Payload> results) {
  raft::Index first = batch_.front().entry.index;
  Clock::Duration now = clock_.Monotonic();
  for (Waiter& waiter : batch_waiters_) {
    metrics_.proposal_seconds.Observe(Seconds(now - waiter.at));
    waiter.done(std::move(results[waiter.index - first]));
  }
  batch_waiters_.clear();
}

void Applier::Retry(const absl::Status& why) {
  if (retry_after_.count() == 0)
    events_.OnTrouble(Trouble::kApplyDiskFull,
                      fmt::format("cannot apply: {}", std::string(why.message())));
  retry_after_ = std::clamp(retry_after_ * 2, kRetryAfter, kMaxRetryAfter);
  role_.PostAfter(retry_after_, [this] {
    ApplyBatch();
    if (retry_after_.count() != 0 || failed_) return;
    MutexLock lock(mu_);
    ScheduleLocked();
  });
}

void Applier::Finish() {
  applied_ = batch_.back().entry.index;
  {
    MutexLock lock(mu_);
    queued_bytes_ -= batch_bytes_;
  }
  events_.OnApplied(applied_);
  batch_.clear();
}

void Applier::RunReads() {
  std::vector<ReadBatch> due;
  {
    MutexLock lock(mu_);
    while (!reads_.empty() && reads_.front().index <= applied_) {
      due.push_back(std::move(reads_.front()));
      reads_.pop_front();
    }
  }
  for (ReadBatch& batch : due) {
    for (PendingRead& read : batch.reads) read.done(absl::OkStatus());
  }
}

void Applier::FailAll() {
  std::deque<Waiter> waiters;
  std::deque<ReadBatch> reads;
  {
    MutexLock lock(mu_);
    waiters.swap(waiters_);
    reads.swap(reads_);
  }
  std::move(waiters.begin(), waiters.end(), std::back_inserter(batch_waiters_));
  for (Waiter& waiter : batch_waiters_)
    waiter.done(absl::AbortedError("the node stopped before the entry was applied"));
  batch_waiters_.clear();
  for (ReadBatch& batch : reads)
    FailReads(std::move(batch.reads), absl::UnavailableError("the node stopped"));
}

}  // namespace kdb::raftnode
