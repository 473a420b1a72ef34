// What must hold between the replicas of a group, judged by what can be seen from outside: the
// messages they send and the state they write.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pkg/raft/invariants.h"
#include "pkg/storage/memory_engine.h"
#include "pkg/storage/system_record.h"

namespace kdb::sim {

// A violation ends the process (KDB_CHECK). Not thread-safe.
class GroupWatch {
 public:
  // Log matching, and leader completeness: what a leader sends agrees with what is committed.
  void Sent(const raft::Message& message);
  // Election safety.
  void Observed(const raft::RaftStatus& status);
  // Replica `id` wrote its state: the same entries in the same order as all others, log time not
  // going back, and, at some indexes, the same state byte by byte.
  void Applied(raft::NodeId id, const storage::Engine& engine);

 private:
  struct Committed {
    raft::Term term = 0;
    raft::Term known_in = 0;  // it was committed before a later term than this began
    int64_t log_time_ms = 0;
    std::optional<uint64_t> digest;
  };

  void CheckComplete(const raft::Message& append, raft::Index index, raft::Term term) const;

  raft::GroupInvariants raft_;
  raft::Term newest_term_ = 0;                // of all that were heard of
  std::map<raft::Index, Committed> applied_;  // where some replica's write ended
};

// A memory engine that reports every write to the watch.
class WatchedEngine final : public storage::Engine {
 public:
  // `watch` outlives it.
  WatchedEngine(GroupWatch& watch, raft::NodeId id)
      : watch_(watch), id_(id), memory_(storage::NewMemoryEngine()) {}

  absl::StatusOr<bool> Get(std::string_view key, std::string* value) const override {
    return memory_->Get(key, value);
  }
  std::unique_ptr<storage::Iterator> NewIterator(std::string_view lower,
                                                 std::string_view upper) const override {
    return memory_->NewIterator(lower, upper);
  }
  std::unique_ptr<storage::WriteBatch> NewBatch() override { return memory_->NewBatch(); }
  absl::Status Write(storage::WriteBatch& batch) override;
  std::unique_ptr<storage::Snapshot> NewSnapshot() const override { return memory_->NewSnapshot(); }
  absl::StatusOr<bool> GetPersisted(std::string_view key, std::string* value) const override {
    return memory_->GetPersisted(key, value);
  }
  absl::Status Flush() override { return memory_->Flush(); }
  absl::Status Checkpoint(const std::string& dir) override { return memory_->Checkpoint(dir); }
  absl::StatusOr<std::unique_ptr<storage::Copy>> OpenCopy(const std::string& dir) const override {
    return memory_->OpenCopy(dir);
  }
  uint64_t ApproximateBytes() const override { return memory_->ApproximateBytes(); }
  uint64_t UnflushedRangeDeletes() const override { return memory_->UnflushedRangeDeletes(); }

  // The process died: keeps a random prefix of what was not flushed.
  void Crash(Random& random) { memory_->Crash(random); }

 private:
  GroupWatch& watch_;
  const raft::NodeId id_;
  const std::unique_ptr<storage::MemoryEngine> memory_;
};

}  // namespace kdb::sim
