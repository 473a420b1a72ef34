#include "pkg/raftnode/applier.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <span>
#include <string>
#include <utility>

#include "pkg/base/check.h"
#include "pkg/base/damage.h"
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
  size_t bytes = 0;
  for (const CommittedEntry& e : entries) bytes += raft::EntryBytes(e.entry);
  {
    MutexLock lock(mu_);
    bool alone = queue_.empty() && reads_.empty() && !scheduled_;
    queued_bytes_ += bytes;
    std::move(entries.begin(), entries.end(), std::back_inserter(queue_));
    std::move(waiters.begin(), waiters.end(), std::back_inserter(waiters_));
    bool wanted = !waiters_.empty() || !reads_.empty() || queued_bytes_ > kEnoughToExecute;
    if (!wanted) return ScheduleLaterLocked();
    if (!alone || bytes > kMaxBytesHere) return ScheduleLocked();
  }
  RunHere();
}

// Commit is left to the apply role: a write to the engine may wait for its background work.
void Applier::RunHere() {
  if (!work_mu_.TryLock()) {
    MutexLock lock(mu_);
    return ScheduleLocked();
  }
  ExecuteQueued();
  {
    MutexLock lock(mu_);
    if (writes_since_read_ < kReadsLinger) {
      ++writes_since_read_;
      commit_wanted_ = true;
    }
  }
  ScheduleRest();
  work_mu_.Unlock();
}

void Applier::ExpectReads() {
  MutexLock lock(mu_);
  writes_since_read_ = 0;
  if (queued_bytes_ == 0) return;
  commit_wanted_ = true;
  ScheduleLocked();
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
  role_.PostAfter(kLater, [this] {
    MutexLock lock(mu_);
    scheduled_later_ = false;
    commit_wanted_ = queued_bytes_ > 0;
    ScheduleLocked();
  });
}

void Applier::Run() {
  {
    // First: what is submitted from here on posts a Run of its own.
    MutexLock lock(mu_);
    scheduled_ = false;
  }
  {
    MutexLock work(work_mu_);
    ExecuteQueued();
    if (CommitIsDue()) Commit();
    ScheduleRest();
  }
  RunReads();
}

void Applier::ScheduleRest() {
  if (failed_ || retry_after_.count() != 0) return;
  bool due = CommitIsDue();
  MutexLock lock(mu_);
  if (!queue_.empty() || due) {
    ScheduleLocked();
  } else if (executed_ > 0) {
    ScheduleLaterLocked();
  }
}

void Applier::ExecuteQueued() {
  if (failed_ || retry_after_.count() != 0) return;
  if (!commit_follows_) TakeQueued();
  if (executed_ < batch_.size()) Execute();
}

void Applier::TakeQueued() {
  MutexLock lock(mu_);
  size_t bytes = 0;
  while (!queue_.empty() && bytes < kMaxApplyBytes && !commit_follows_) {
    bytes += raft::EntryBytes(queue_.front().entry);
    batch_.push_back(std::move(queue_.front()));
    queue_.pop_front();
    commit_follows_ = machine_.CommitFollows(batch_.back().entry);
  }
  if (bytes == 0) return;
  batch_bytes_ += bytes;
  while (!waiters_.empty() && waiters_.front().index <= batch_.back().entry.index) {
    batch_waiters_.push_back(std::move(waiters_.front()));
    waiters_.pop_front();
  }
}

void Applier::Execute() {
  KDB_CHECK(batch_.front().entry.index == applied_ + 1, "entry {} after {}",
            batch_.front().entry.index, applied_.load());
  Clock::Duration begin = clock_.Monotonic();
  const auto entries = std::span<const CommittedEntry>(batch_).subspan(executed_);
  std::vector<Payload> results;
  if (absl::Status s = machine_.Apply(entries, &results); !s.ok()) return NotDone(s);
  KDB_CHECK(results.size() == entries.size(), "{} results of {} entries", results.size(),
            entries.size());
  metrics_.apply_seconds.Observe(Seconds(clock_.Monotonic() - begin));
  metrics_.apply_entries.Observe(static_cast<double>(entries.size()));
  Answer(std::move(results));
  executed_ = batch_.size();
  if (!machine_.staged()) Finish();
}

// The entries are committed, so their results will not change: nobody has to wait for Commit, and
// what a full disk makes apply again has no waiters.
void Applier::Answer(std::vector<Payload> results) {
  raft::Index first = batch_[executed_].entry.index;
  Clock::Duration now = clock_.Monotonic();
  for (Waiter& waiter : batch_waiters_) {
    metrics_.proposal_seconds.Observe(Seconds(now - waiter.at));
    waiter.done(std::move(results[waiter.index - first]));
  }
  batch_waiters_.clear();
}

bool Applier::CommitIsDue() {
  if (executed_ == 0) return false;
  MutexLock lock(mu_);
  return commit_follows_ || commit_wanted_ || !reads_.empty() || batch_bytes_ > kEnoughToCommit;
}

void Applier::Commit() {
  if (absl::Status s = machine_.Commit(); !s.ok()) return NotDone(s);
  Finish();
}

void Applier::Finish() {
  applied_ = batch_.back().entry.index;
  {
    MutexLock lock(mu_);
    queued_bytes_ -= std::exchange(batch_bytes_, 0);
    commit_wanted_ = false;
  }
  batch_.clear();
  executed_ = 0;
  commit_follows_ = false;
  events_.OnApplied(applied_);
}

void Applier::NotDone(const absl::Status& why) {
  executed_ = 0;
  if (!absl::IsResourceExhausted(why)) {
    failed_ = true;
    events_.OnFailed(WithContext(fmt::format("applying entries {} to {}",
                                             batch_.front().entry.index, batch_.back().entry.index),
                                 why));
    return;
  }
  if (retry_after_.count() == 0) {
    events_.OnTrouble(Trouble::kApplyDiskFull,
                      fmt::format("cannot apply: {}", std::string(why.message())));
  }
  retry_after_ = std::clamp(retry_after_ * 2, kRetryAfter, kMaxRetryAfter);
  role_.PostAfter(retry_after_, [this] { TryAgain(); });
}

void Applier::TryAgain() {
  MutexLock work(work_mu_);
  Execute();
  if (executed_ > 0) Commit();
  if (!batch_.empty()) return;
  retry_after_ = std::chrono::milliseconds(0);
  events_.OnTrouble(Trouble::kApplyDiskFull, "");
  MutexLock lock(mu_);
  ScheduleLocked();
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
  MutexLock work(work_mu_);
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
