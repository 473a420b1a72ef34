// The background role: flushes the state machine so that restarts are short, and watches the room
// on the log's disk.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include "pkg/base/gated_executor.h"
#include "pkg/env/file_system.h"
#include "pkg/raftnode/disk_watch.h"
#include "pkg/raftnode/log_budget.h"
#include "pkg/raftnode/node_metrics.h"
#include "pkg/raftnode/raft_node.h"
#include "pkg/raftnode/role_events.h"
#include "pkg/raftnode/state_machine.h"

namespace kdb::raftnode {

// Methods are called from the raft role.
class Maintenance {
 public:
  static constexpr std::chrono::seconds kSpaceCheckInterval{1};
  static constexpr std::chrono::seconds kFlushRetry{1};

  // All outlive the object.
  Maintenance(const Options& options, StateMachine& machine, FileSystem& fs, GatedExecutor& role,
              RoleEvents& events, const NodeMetrics& metrics, wal::Wal& log, LogBudget budget);

  void Appended(raft::Index last, size_t bytes);
  void Applied(raft::Index index, size_t bytes) { budget_.Applied(index, bytes); }
  void Hold(raft::Index index) { budget_.Hold(index); }
  // Starts what is due.
  void OnTick(Clock::Duration now);
  // To be called on OnFlushed. Returns up to where the log may be cut; 0: nowhere.
  raft::Index Flushed(const absl::StatusOr<raft::Index>& persisted, Clock::Duration now);

 private:
  void StartFlush(Clock::Duration now);
  // Background role.
  void PrepareSegment();
  void CheckSpace();

  const Options& options_;
  StateMachine& machine_;
  FileSystem& fs_;
  GatedExecutor& role_;
  RoleEvents& events_;
  const NodeMetrics& metrics_;
  wal::Wal& log_;

  LogBudget budget_;
  bool flushing_ = false;
  bool flush_failed_ = false;
  Clock::Duration next_flush_{0};
  Clock::Duration next_space_check_{0};
  size_t unprepared_bytes_;  // appended since a segment was last made ready

  DiskWatch disk_;  // background role
};

}  // namespace kdb::raftnode
