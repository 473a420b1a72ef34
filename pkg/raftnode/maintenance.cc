#include "pkg/raftnode/maintenance.h"

#include <fmt/format.h>

#include <utility>

#include "pkg/base/damage.h"
#include "pkg/base/status.h"

namespace kdb::raftnode {
namespace {

absl::StatusOr<raft::Index> FlushMachine(StateMachine& machine) {
  KDB_RETURN_IF_ERROR(machine.Flush());
  return machine.PersistedIndex();
}

}  // namespace

Maintenance::Maintenance(const Options& options, StateMachine& machine, FileSystem& fs,
                         GatedExecutor& role, RoleEvents& events, const NodeMetrics& metrics,
                         wal::Wal& log, LogBudget budget)
    : options_(options),
      machine_(machine),
      fs_(fs),
      role_(role),
      events_(events),
      metrics_(metrics),
      log_(log),
      budget_(std::move(budget)),
      unprepared_bytes_(options.wal.segment_bytes),
      disk_(options.disk) {}

void Maintenance::Appended(raft::Index last, size_t bytes) {
  budget_.Appended(last, bytes);
  unprepared_bytes_ += bytes;
}

void Maintenance::OnTick(Clock::Duration now) {
  bool due = flush_failed_ || budget_.ShouldFlush(now);
  if (due && !flushing_ && now >= next_flush_) StartFlush(now);
  if (unprepared_bytes_ >= options_.wal.segment_bytes / 4) {
    unprepared_bytes_ = 0;
    role_.Post([this] { PrepareSegment(); });
  }
  if (now < next_space_check_) return;
  next_space_check_ = now + kSpaceCheckInterval;
  role_.Post([this] { CheckSpace(); });
}

void Maintenance::PrepareSegment() {
  absl::Status status = log_.Prepare();
  // Not done in time, or for want of room, Append does it itself.
  if (status.ok() || absl::IsResourceExhausted(status)) return;
  events_.OnFailed(WithContext("preparing the log", status));
}

void Maintenance::StartFlush(Clock::Duration now) {
  flushing_ = true;
  budget_.FlushBegan(now);
  role_.Post([this] { events_.OnFlushed(FlushMachine(machine_)); });
}

raft::Index Maintenance::Flushed(const absl::StatusOr<raft::Index>& persisted,
                                 Clock::Duration now) {
  flushing_ = false;
  if (persisted.ok()) {
    metrics_.flushes.Increment();
    if (std::exchange(flush_failed_, false)) events_.OnTrouble(Trouble::kFlushDiskFull, "");
    return budget_.CutAfterFlush(*persisted);
  }
  const absl::Status why = WithContext("flushing the state machine", persisted.status());
  if (!absl::IsResourceExhausted(why)) {
    events_.OnFailed(why);
    return 0;
  }
  next_flush_ = now + kFlushRetry;
  if (!std::exchange(flush_failed_, true)) {
    events_.OnTrouble(Trouble::kFlushDiskFull, std::string(why.message()));
  }
  return 0;
}

void Maintenance::CheckSpace() {
  absl::StatusOr<FileSystem::Space> space = fs_.DiskSpace(options_.wal_dir);
  // Without an answer there is no evidence of trouble; the log itself will tell.
  if (!space.ok()) return;
  metrics_.disk_total.Set(static_cast<double>(space->total_bytes));
  metrics_.disk_available.Set(static_cast<double>(space->available_bytes));
  if (!disk_.Update(*space)) return;
  metrics_.disk_level.Set(static_cast<double>(disk_.level()));
  events_.OnDiskLevel(disk_.level(), fmt::format("{}: {}", options_.wal_dir, disk_.Describe()));
}

}  // namespace kdb::raftnode
