// One node with its simulated disk and driver, for the scenario and the randomised tests: nothing
// is durable before PersistNext, and a crash loses what is not.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "pkg/raft/invariants.h"
#include "pkg/raft/memory_log_test.h"
#include "pkg/raft/raft.h"

namespace kdb::raft {

class SimNode {
 public:
  // `initial` and the log's content are durable. `group` outlives the object.
  SimNode(const Config& config, const Initial& initial, MemoryLog log, uint64_t seed,
          GroupInvariants* group);

  Raft& raft() { return *raft_; }
  const Raft& raft() const { return *raft_; }
  MemoryLog& log() { return log_; }
  NodeId id() const { return config_.id; }

  // Takes a Ready as a driver does: its entries are in the log and on their way to the disk, its
  // committed entries applied.
  Ready Take();
  bool HasUnpersisted() const { return !writes_.empty(); }
  // Makes the oldest Ready durable; returns its messages_after_persist.
  std::vector<Message> PersistNext();
  // Applies what was taken as committed; Take leaves it to the caller when `hold_apply`.
  void Apply();
  bool hold_apply = false;
  // Loses what is not durable and starts again.
  void Crash(uint64_t seed);
  // A crash of a disk that lied: durable entries above `index` are gone, too.
  void LoseAbove(Index index, uint64_t seed);
  // A snapshot of this node's state machine, and its installation at another.
  SnapshotMeta Snapshot() const { return {applied_, *log_.TermAt(applied_), conf_}; }
  bool Install(const SnapshotMeta& snapshot);
  void Compact(Index index) { log_.Compact(index), durable_log_.Compact(index); }

  // To be called after every input: checks the group's invariants.
  void Observe();

 private:
  struct Write {
    uint64_t seq;
    std::optional<HardState> hard_state;
    std::vector<Entry> entries;
    std::vector<Message> messages;
  };

  void Start(uint64_t seed);

  const Config config_;
  GroupInvariants& group_;
  MemoryLog log_;          // as the driver sees it
  MemoryLog durable_log_;  // what a crash leaves
  HardState durable_;
  std::deque<Write> writes_;
  std::vector<Entry> unapplied_;
  Index applied_;  // with conf_: the state machine, durable at once
  ConfState conf_;
  std::unique_ptr<Raft> raft_;
};

}  // namespace kdb::raft
