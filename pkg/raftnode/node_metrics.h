// The metrics of one Raft member.
#pragma once

#include <chrono>

#include "pkg/obs/metrics.h"

namespace kdb::raftnode {

// Thread-safe; the registry outlives it.
struct NodeMetrics {
  explicit NodeMetrics(obs::Registry& registry);

  obs::Histogram& mailbox_seconds;
  obs::Histogram& append_seconds;
  obs::Histogram& fsync_seconds;
  obs::Histogram& entries_per_fsync;
  obs::Histogram& commit_seconds;
  obs::Histogram& apply_seconds;
  obs::Histogram& apply_entries;
  obs::Histogram& proposal_seconds;
  obs::Histogram& read_index_seconds;
  obs::Histogram& reads_per_round;
  obs::Counter& refused_proposals;
  obs::Counter& aborted_proposals;
  obs::Counter& dropped_messages;
  obs::Counter& log_disk_reads;
  obs::Counter& leader_changes;
  obs::Counter& late_ticks;
  obs::Counter& fsync_stalls;
  obs::Counter& flushes;
  obs::Counter& snapshot_needed;
  obs::Gauge& outstanding;
  obs::Gauge& apply_queue_bytes;
  obs::Gauge& log_bytes;
  obs::Gauge& is_leader;
  obs::Gauge& term;
  obs::Gauge& commit_index;
  obs::Gauge& applied_index;
  obs::Gauge& last_index;
  obs::Gauge& suspect_peers;
  obs::Gauge& full_peers;
  obs::Gauge& disk_total;
  obs::Gauge& disk_available;
  obs::Gauge& disk_level;
};

inline double Seconds(std::chrono::nanoseconds d) {
  return std::chrono::duration<double>(d).count();
}

}  // namespace kdb::raftnode
