#include "pkg/raftnode/node_metrics.h"

namespace kdb::raftnode {

NodeMetrics::NodeMetrics(obs::Registry& r)
    : mailbox_seconds(
          r.AddLatency("kdb_raft_mailbox_seconds", "Time a proposal waited for the raft role")),
      append_seconds(
          r.AddLatency("kdb_raft_append_seconds", "Time to write one batch to the log, unsynced")),
      fsync_seconds(r.AddLatency("kdb_raft_fsync_seconds", "Time of one fdatasync of the log")),
      entries_per_fsync(r.AddSizes("kdb_raft_entries_per_fsync",
                                   "Entries made durable by one fdatasync (group commit)")),
      commit_seconds(r.AddLatency("kdb_raft_commit_seconds", "Time from proposal to commit")),
      apply_seconds(
          r.AddLatency("kdb_raft_apply_seconds", "Time of one call of the state machine")),
      apply_entries(
          r.AddSizes("kdb_raft_apply_entries", "Entries given to one call of the state machine")),
      proposal_seconds(
          r.AddLatency("kdb_raft_proposal_seconds", "Time from proposal to its result")),
      read_index_seconds(r.AddLatency("kdb_raft_read_index_seconds",
                                      "Time of one round that confirms leadership for reads")),
      reads_per_round(r.AddSizes("kdb_raft_reads_per_round", "Reads that shared one round")),
      refused_proposals(r.AddCounter("kdb_raft_refused_proposals_total",
                                     "Proposals refused before they reached the log")),
      aborted_proposals(r.AddCounter("kdb_raft_aborted_proposals_total",
                                     "Proposals whose outcome became unknown")),
      dropped_messages(r.AddCounter("kdb_raft_dropped_messages_total",
                                    "Messages from peers dropped over the mailbox bound")),
      log_disk_reads(r.AddCounter("kdb_raft_log_disk_reads_total",
                                  "Reads of old entries from the log on disk")),
      leader_changes(r.AddCounter("kdb_raft_leader_changes_total", "Changes of the known leader")),
      late_ticks(r.AddCounter("kdb_raft_late_ticks_total",
                              "Ticks skipped because the process had stood still")),
      fsync_stalls(r.AddCounter("kdb_raft_fsync_stalls_total",
                                "Times the log disk stalled and leadership was given up")),
      flushes(r.AddCounter("kdb_raft_flushes_total", "Flushes of the state machine")),
      snapshot_needed(r.AddCounter("kdb_raft_snapshot_needed_total",
                                   "Times the leader no longer had the entries needed here")),
      outstanding(r.AddGauge("kdb_raft_outstanding", "Proposals and reads not yet answered")),
      apply_queue_bytes(
          r.AddGauge("kdb_raft_apply_queue_bytes", "Committed bytes waiting to be applied")),
      log_bytes(r.AddGauge("kdb_raft_log_bytes", "Bytes of live log segments")),
      is_leader(r.AddGauge("kdb_raft_is_leader", "1 on the leader")),
      term(r.AddGauge("kdb_raft_term", "Current term")),
      commit_index(r.AddGauge("kdb_raft_commit_index", "Known committed index")),
      applied_index(r.AddGauge("kdb_raft_applied_index", "Applied index")),
      last_index(r.AddGauge("kdb_raft_last_index", "Last index of the log")),
      suspect_peers(r.AddGauge("kdb_raft_suspect_peers",
                               "Followers whose durable log fell below what they acknowledged")),
      full_peers(r.AddGauge("kdb_raft_full_peers",
                            "On the leader: other members whose disks are nearly full")),
      disk_total(r.AddGauge("kdb_disk_total_bytes", "Size of the data directory's disk")),
      disk_available(r.AddGauge("kdb_disk_available_bytes", "Free on the data directory's disk")),
      disk_level(r.AddGauge("kdb_disk_level",
                            "0: room, 1: filling up, 2: nearly full, writes that grow data are "
                            "refused, 3: full, all writes are refused")) {}

}  // namespace kdb::raftnode
