// For tests: replicas of one group on memory engines, driven by a log that the test writes.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/coding.h"
#include "pkg/base/random.h"
#include "pkg/kv/digest.h"
#include "pkg/kv/entry.h"
#include "pkg/kv/shard_state.h"
#include "pkg/storage/memory_engine.h"
#include "pkg/wire/batch.h"

namespace kdb::kv {

inline constexpr int64_t kNoon = 1'700'000'000'000;  // log time when a test begins

catalog::BirthCertificate TestBirth();

// A memory engine whose disk can be full, and that lets a test run at the moments that matter.
class FullDiskEngine final : public storage::Engine {
 public:
  absl::StatusOr<bool> Get(std::string_view key, std::string* value) const override;
  std::unique_ptr<storage::Iterator> NewIterator(std::string_view lower,
                                                 std::string_view upper) const override;
  std::unique_ptr<storage::WriteBatch> NewBatch() override;
  absl::Status Write(storage::WriteBatch& batch) override;
  std::unique_ptr<storage::Snapshot> NewSnapshot() const override;
  absl::StatusOr<bool> GetPersisted(std::string_view key, std::string* value) const override;
  absl::Status Flush() override;
  absl::Status Checkpoint(const std::string& dir) override;
  absl::StatusOr<std::unique_ptr<storage::Copy>> OpenCopy(const std::string& dir) const override;
  uint64_t ApproximateBytes() const override;
  uint64_t UnflushedRangeDeletes() const override;

  void Crash(Random& random) { memory_->Crash(random); }

  bool full = false;
  std::function<void()> before_write = [] {};
  std::function<void()> after_write = [] {};
  std::function<void()> before_snapshot = [] {};
  std::function<void()> after_snapshot = [] {};
  size_t writes = 0;
  size_t records_written = 0;

 private:
  std::unique_ptr<storage::MemoryEngine> memory_ = storage::NewMemoryEngine();
};

using Log = std::vector<raftnode::CommittedEntry>;

// Appends entries; the bodies are valid ones unless given.
class LogBuilder {
 public:
  int64_t now_ms = kNoon;  // the stamp of the next entry
  raft::Term term = 1;

  const Log& log() const { return log_; }
  uint64_t Last() const { return log_.size(); }

  uint64_t Raw(std::string bytes);
  uint64_t Add(EntryKind kind, std::string_view body = {}) {
    return Raw(EncodeEntry(kind, now_ms, body));
  }
  uint64_t NoOp() { return Raw({}); }
  uint64_t Own(std::vector<shard::Slot> slots, uint64_t epoch = 1, uint64_t assignment = 1);
  uint64_t OwnAll();
  // The change of a group whose members were `before`.
  uint64_t Conf(const raftnode::Membership& before, const raft::ConfChange& change);
  uint64_t Batch(const wire::BatchHeader& header, const std::vector<wire::Op>& ops);

 private:
  Log log_;
};

// An op of one command, "SET k v", with the slots of its keys.
wire::Op CommandOp(std::string_view line);
std::string EncodedBatch(const wire::BatchHeader& header, const std::vector<wire::Op>& ops);

// As raftnode::Applier does it; a failure takes its results back.
absl::Status ApplyAndCommit(ShardState& state, std::span<const raftnode::CommittedEntry> entries,
                            std::vector<Payload>* results);

class Replica {
 public:
  explicit Replica(ShardOptions options = {});

  // Applies the log from where the replica stands, `chunk` entries at a time. The results.
  std::vector<Payload> CatchUp(const Log& log, size_t chunk = 1);
  // Loses what was not flushed and opens the state again.
  void Crash(Random& random);
  void Reopen();

  ShardState& state() { return *state_; }
  FullDiskEngine& engine() { return engine_; }
  obs::Registry& metrics() { return *metrics_; }
  uint64_t Digest() const;

 private:
  ShardOptions options_;
  FullDiskEngine engine_;
  std::unique_ptr<obs::Registry> metrics_;
  std::unique_ptr<ShardState> state_;
};

// A replica, its log, and what is common to most tests.
class ReplicaTest : public testing::Test {
 protected:
  explicit ReplicaTest(const ShardOptions& options = {}) : replica_(options) {}

  // Applies what is new in the log. The last result.
  std::string Apply();
  uint64_t OpenSession();
  // A batch of the given commands; its decoded reply, kept until the next call.
  const wire::BatchReply& Send(const wire::BatchHeader& header, const std::vector<wire::Op>& ops);
  // The only result's reply of a batch of one command.
  std::string Run(std::string_view line);
  // The same by a read at `now_ms`.
  std::string Read(std::string_view line, int64_t now_ms, bool* needs_tick);
  std::string Read(std::string_view line);

  LogBuilder log_;
  Replica replica_;
  uint64_t session_ = 0;
  uint64_t seq_ = 0;
  std::string bytes_;
  wire::BatchReply reply_;
};

}  // namespace kdb::kv
