#include "pkg/raftnode/log_writer.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "pkg/base/check.h"
#include "pkg/base/damage.h"
#include "pkg/base/status.h"

namespace kdb::raftnode {

void GroupWrite::Add(WriteRequest request) {
  seq = request.seq;
  must_sync |= request.must_sync;
  if (request.hard_state) hard_state = request.hard_state;
  std::move(request.messages.begin(), request.messages.end(), std::back_inserter(messages));
  if (request.entries.empty()) return;
  raft::Index first = request.entries.front().index;
  while (!entries.empty() && entries.back().index >= first) entries.pop_back();
  KDB_CHECK(entries.empty() || entries.back().index + 1 == first, "gap before {}", first);
  std::move(request.entries.begin(), request.entries.end(), std::back_inserter(entries));
}

LogWriter::LogWriter(wal::Wal& log, GatedExecutor& role, PeerSender& sender, RoleEvents& events,
                     const Clock& clock, const NodeMetrics& metrics,
                     std::chrono::nanoseconds mark_after)
    : log_(log),
      role_(role),
      sender_(sender),
      events_(events),
      clock_(clock),
      metrics_(metrics),
      mark_after_(mark_after) {}

bool LogWriter::Submit(WriteRequest request) {
  bool idle = submitted_seq_ == persisted_seq_;
  submitted_seq_ = request.seq;
  if (idle && !request.must_sync && request.entries.empty()) {
    persisted_seq_ = request.seq;
    sender_.Send(std::move(request.messages));
    if (!request.hard_state) return true;
    MutexLock lock(mu_);
    deferred_ = request.hard_state;
    return true;
  }
  if (idle) waiting_since_ = clock_.Monotonic();
  MutexLock lock(mu_);
  queue_.push_back(std::move(request));
  ScheduleLocked();
  return false;
}

void LogWriter::Persisted(uint64_t seq) {
  persisted_seq_ = std::max(persisted_seq_, seq);
  waiting_since_ = clock_.Monotonic();
}

std::optional<Clock::Duration> LogWriter::WaitingSince() const {
  if (submitted_seq_ == persisted_seq_) return std::nullopt;
  return waiting_since_;
}

void LogWriter::ForgiveDelay() { waiting_since_ = clock_.Monotonic(); }

void LogWriter::CutPrefix(raft::Index index) {
  MutexLock lock(mu_);
  cut_ = std::max(cut_, index);
  ScheduleLocked();
}

void LogWriter::ScheduleLocked() {
  if (std::exchange(scheduled_, true)) return;
  role_.Post([this] { Run(); });
}

LogWriter::Work LogWriter::TakeWork() {
  MutexLock lock(mu_);
  scheduled_ = false;
  Work work;
  work.any = !queue_.empty();
  for (WriteRequest& request : queue_) work.write.Add(std::move(request));
  queue_.clear();
  GroupWrite& write = work.write;
  bool worth_a_write = write.must_sync || !write.entries.empty();
  if (write.hard_state) deferred_ = write.hard_state;
  write.hard_state = worth_a_write ? std::exchange(deferred_, std::nullopt) : std::nullopt;
  return work;
}

void LogWriter::Run() {
  if (failed_ || full_) return;
  work_ = TakeWork();
  DoWork();
}

void LogWriter::DoWork() {
  // The room that the append waits for may be what a cut gives back. Else the append goes first:
  // clients wait for it.
  if (full_) Cut();
  if (failed_) return;
  if (work_.any) {
    absl::Status status = AppendAndSync(work_.write);
    if (absl::IsResourceExhausted(status)) return RetryLater(status);
    if (!status.ok()) return Fail(status, "writing the log");
    sender_.Send(std::move(work_.write.messages));
    events_.OnPersisted(work_.write.seq);
  }
  if (std::exchange(full_, false)) {
    events_.OnTrouble(Trouble::kLogDiskFull, "");
    role_.Post([this] { Run(); });  // for what came meanwhile
  }
  Cut();
}

void LogWriter::Cut() {
  raft::Index index = 0;
  {
    MutexLock lock(mu_);
    index = std::exchange(cut_, 0);
  }
  if (index == 0 || failed_) return;
  if (absl::Status s = log_.CutPrefix(index); !s.ok()) return Fail(s, "cutting the log");
  metrics_.log_bytes.Set(static_cast<double>(log_.stats().live_bytes));
}

absl::Status LogWriter::AppendAndSync(const GroupWrite& write) {
  if (write.entries.empty() && !write.hard_state) return absl::OkStatus();
  Clock::Duration begin = clock_.Monotonic();
  KDB_RETURN_IF_ERROR(log_.Append(write.entries, write.hard_state));
  Clock::Duration appended = clock_.Monotonic();
  if (absl::Status s = log_.Sync(); !s.ok())
    return absl::DataLossError(s.ToString());  // whatever it is: never again
  last_write_ = clock_.Monotonic();
  marked_ = false;
  metrics_.append_seconds.Observe(Seconds(appended - begin));
  metrics_.fsync_seconds.Observe(Seconds(last_write_ - appended));
  if (!write.entries.empty())
    metrics_.entries_per_fsync.Observe(static_cast<double>(write.entries.size()));
  ArmMark(mark_after_);
  return absl::OkStatus();
}

// Nothing was written and the log is whole: it goes on when there is room. Until then Run is not
// posted, for scheduled_ stays true.
void LogWriter::RetryLater(const absl::Status& why) {
  if (!std::exchange(full_, true)) {
    MutexLock lock(mu_);
    scheduled_ = true;
    events_.OnTrouble(Trouble::kLogDiskFull, std::string(why.message()));
  }
  role_.PostAfter(kRetryAfter, [this] { DoWork(); });
}

void LogWriter::Fail(const absl::Status& status, std::string_view what) {
  failed_ = true;
  events_.OnFailed(WithContext(what, status));
}

void LogWriter::ArmMark(std::chrono::nanoseconds delay) {
  if (std::exchange(mark_armed_, true)) return;
  role_.PostAfter(delay, [this] { MarkIfIdle(); });
}

void LogWriter::MarkIfIdle() {
  mark_armed_ = false;
  if (failed_ || marked_) return;
  Clock::Duration idle = clock_.Monotonic() - last_write_;
  if (idle < mark_after_) return ArmMark(mark_after_ - idle);
  absl::Status status = Mark();
  if (absl::IsResourceExhausted(status)) return;  // the next write brings another occasion
  if (!status.ok()) Fail(status, "marking the log");
}

absl::Status LogWriter::Mark() {
  std::optional<raft::HardState> hard_state;
  {
    MutexLock lock(mu_);
    hard_state = std::exchange(deferred_, std::nullopt);
  }
  // Lost when the disk is full: a commit index is learned again.
  if (hard_state) KDB_RETURN_IF_ERROR(log_.Append({}, hard_state));
  marked_ = true;
  return log_.Mark();
}

void LogWriter::MarkCleanly() {
  // The process ends anyway: a log without its mark is only less exact about a torn tail.
  if (!failed_) Mark().IgnoreError();
}

}  // namespace kdb::raftnode
